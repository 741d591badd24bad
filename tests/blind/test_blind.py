"""What methods see carries no label, and the vault leads back to every cell."""

import json
import re

import anndata
import h5py
import numpy as np
import pandas as pd
import pytest
import scipy.sparse as sp
import yaml
from hypothesis import given, settings
from hypothesis import strategies as st

from blindfold.blind.blind import anonymous, blind, blinded, shuffled, truth
from blindfold.core import cards
from blindfold.core.cards import DatasetCard
from blindfold.core.errors import BlindfoldError
from blindfold.core.layout import Layout
from blindfold.fetch.fetch import fetch
from blindfold.prepare.prepare import prepare

CARD = {
    "title": "Tiny", "organism": "o", "tissue": "t", "technology": "chip", "modality": "spatial",
    "paper": "p", "licence": "l", "reader": "none", "label": "kind", "batch": "site",
    "unit": "micrometre", "expected": {"cells": 1, "genes": 1},
    "files": [{"path": "a", "role": "r", "sha256": "0" * 64, "bytes": 1, "url": "http://x"}],
}  # fmt: skip


def prepared_cells(cells, seed=0, missing=0):
    """Return prepared cells whose order is sorted by class, as published files often are."""
    rng = np.random.default_rng(seed)
    counts = sp.csr_matrix(1 + rng.poisson(1.0, (cells, 6)).astype(np.float32))
    kinds = np.sort(rng.choice(["alpha", "beta", "gamma"], cells)).astype(object)
    kinds[:missing] = None
    obs = pd.DataFrame(
        {
            "kind": pd.Categorical(kinds),
            "site": pd.Categorical(rng.choice(["Oslo", "Rome"], cells)),
        },
        index=[f"original-{i}" for i in range(cells)],
    )
    adata = anndata.AnnData(counts, obs=obs)
    adata.obsm["spatial"] = rng.random((cells, 2))
    adata.uns["blindfold"] = {
        "unit": "micrometre",
        "pitch": 1.5,
        "technology": "chip",
        "scale": 2.0,
    }
    return adata


@pytest.fixture
def tiny(tmp_path, monkeypatch):
    """Return a function that blinds tiny prepared cells into a named results folder."""
    folder = tmp_path / "cards"
    folder.mkdir()
    monkeypatch.setattr(cards, "DATASETS", folder)

    def make(adata, name="r", seed=0, **differs):
        (folder / "tiny.yaml").write_text(yaml.safe_dump({**CARD, **differs}))
        at = Layout(tmp_path / name)
        at.prepared("tiny").parent.mkdir(parents=True)
        adata.write_h5ad(at.prepared("tiny"))
        blind("tiny", at, seed)
        return at

    return make


@settings(max_examples=40, deadline=None)
@given(st.integers(1, 60), st.integers(0, 9), st.integers(0, 5))
def test_blinding_is_a_bijection(cells, seed, missing):
    prepared = prepared_cells(cells, seed, missing)
    order = shuffled("tiny", seed, cells)
    shown = blinded(prepared, order, "site")
    hidden = truth(prepared, order, DatasetCard.model_validate(CARD))
    assert list(hidden.cell) == list(shown.obs_names) == sorted(shown.obs_names)
    assert sorted(hidden.original) == sorted(prepared.obs_names)
    back = prepared[hidden.original]
    np.testing.assert_array_equal(shown.X.toarray(), back.X.toarray())
    np.testing.assert_array_equal(shown.obsm["spatial"], back.obsm["spatial"])
    assert hidden.label.fillna("").tolist() == back.obs.kind.astype(object).fillna("").tolist()
    sites = pd.crosstab(back.obs.site.to_numpy(), shown.obs.batch.to_numpy())
    assert ((sites > 0).sum(axis=1) == 1).all()


def test_only_the_allowed_is_shown(tiny):
    prepared = prepared_cells(50)
    prepared.layers["logcounts"] = prepared.X
    prepared.obsm["X_umap"] = np.zeros((50, 2))
    prepared.uns["kind_colors"] = ["red", "green", "blue"]
    prepared.var["mean_in_alpha"] = 1.0
    prepared.raw = prepared
    shown = anndata.read_h5ad(tiny(prepared).input("tiny"))
    assert list(shown.obs.columns) == ["batch"]
    assert set(shown.obs.batch) == {"b01", "b02"}
    assert list(shown.obsm) == ["spatial"]
    assert list(shown.uns) == ["blindfold"]
    assert dict(shown.uns["blindfold"]) == prepared.uns["blindfold"]
    assert list(shown.var.columns) == []
    assert shown.raw is None
    for slot in ("layers", "obsp", "varm", "varp"):
        assert not len(getattr(shown, slot))
    assert shown.X.dtype == np.float32
    assert shown.obsm["spatial"].dtype == np.float64
    assert list(shown.obs_names) == anonymous(50)


def test_no_byte_of_a_label_or_a_name_is_shown(tiny):
    """Searches every name, attribute and text that the file stores, and the facts beside it."""
    at = tiny(prepared_cells(50))
    words = []

    def collect(name, item):
        words.extend([name, *map(str, item.attrs.values())])
        if isinstance(item, h5py.Dataset) and item.dtype.kind == "O":
            words.extend(map(str, np.atleast_1d(item[()])))

    with h5py.File(at.input("tiny")) as file:
        file.visititems(collect)
    for text in (" ".join(words), at.card("tiny").read_text()):
        assert not re.search(r"alpha|beta|gamma|original|Oslo|Rome|kind|site", text)


def test_permuted_labels_leave_all_but_the_vault_as_it_is(tiny):
    plain, other = prepared_cells(200), prepared_cells(200)
    other.obs["kind"] = other.obs["kind"].array[np.random.default_rng(1).permutation(200)]
    one, two = tiny(plain, "one"), tiny(other, "two")
    assert one.input("tiny").read_bytes() == two.input("tiny").read_bytes()
    assert one.card("tiny").read_bytes() == two.card("tiny").read_bytes()
    assert one.truth("tiny").read_bytes() != two.truth("tiny").read_bytes()


def test_the_order_depends_on_dataset_and_seed_alone():
    assert (shuffled("a", 0, 99) == shuffled("a", 0, 99)).all()
    assert (shuffled("a", 0, 99) != shuffled("b", 0, 99)).any()
    assert (shuffled("a", 0, 99) != shuffled("a", 1, 99)).any()


def test_the_order_tells_nothing_of_the_class(tiny):
    """In the sorted file neighbours share their class; in the blinded one they do so by chance."""
    at = tiny(prepared_cells(3_000))
    label = pd.read_parquet(at.truth("tiny")).label.to_numpy()
    shares = pd.Series(label).value_counts(normalize=True)
    assert (label[1:] == label[:-1]).mean() == pytest.approx((shares**2).sum(), abs=0.03)
    place = np.arange(3_000) / 3_000
    for kind in shares.index:
        assert place[label == kind].mean() == pytest.approx(0.5, abs=0.04)


def test_missing_labels_are_null_and_their_cells_stay(tiny):
    at = tiny(prepared_cells(40, missing=7))
    hidden = pd.read_parquet(at.truth("tiny"))
    facts = json.loads(at.card("tiny").read_text())
    assert hidden.label.isna().sum() == 7
    assert len(hidden) == facts["cells"] == 40
    assert (facts["labelled"], facts["n_clusters"]) == (33, 3)


def test_data_without_labels_have_a_truth_without_labels(tiny):
    at = tiny(prepared_cells(40), label=None, batch=None)
    facts = json.loads(at.card("tiny").read_text())
    assert list(pd.read_parquet(at.truth("tiny")).columns) == ["cell", "original"]
    assert (facts["labelled"], facts["n_clusters"], facts["batches"]) == (0, None, 1)


def test_blinding_needs_prepared_data(tiny, tmp_path):
    at = tiny(prepared_cells(10))
    at.prepared("tiny").write_bytes(at.prepared("tiny").read_bytes()[:500])
    with pytest.raises(BlindfoldError, match=r"image\.png"):
        tiny(prepared_cells(10), "pictured", image=True)
    with pytest.raises(BlindfoldError, match="truncated"):
        blind("tiny", at, 0)
    at.prepared("tiny").unlink()
    with pytest.raises(BlindfoldError, match="not found"):
        blind("tiny", at, 0)


@pytest.mark.parametrize("dataset", ["pbmc68k", "mosaic"])
def test_the_embedded_data_are_blinded_to_the_byte(tmp_path, dataset):
    """Twice the same, and the same with permuted labels; rejoined, the truth equals the vault."""
    places = [Layout(tmp_path / name) for name in ("one", "again", "canary")]
    fetch(dataset, tmp_path / "cache", [], True)
    for at in places:
        prepare(dataset, tmp_path / "cache", at, permute=at is places[2])
        blind(dataset, at, 0)
    names = ["input", "card"] + ["image"] * (dataset == "mosaic")
    for name in names:
        files = {getattr(at, name)(dataset).read_bytes() for at in places}
        assert len(files) == 1, name
    assert places[0].truth(dataset).read_bytes() == places[1].truth(dataset).read_bytes()
    assert places[0].truth(dataset).read_bytes() != places[2].truth(dataset).read_bytes()
    hidden = pd.read_parquet(places[0].truth(dataset)).set_index("original")
    kept = anndata.read_h5ad(places[0].prepared(dataset))
    label = cards.dataset_card(dataset).label
    assert (hidden.label[kept.obs_names].to_numpy() == kept.obs[label].to_numpy()).all()


def test_an_image_matches_its_coordinates(tmp_path):
    """Every spot of the mosaic lies on tissue, not on the white border."""
    from PIL import Image

    at = Layout(tmp_path / "r")
    fetch("mosaic", tmp_path / "cache", [], True)
    prepare("mosaic", tmp_path / "cache", at)
    blind("mosaic", at, 0)
    shown = anndata.read_h5ad(at.input("mosaic"))
    with Image.open(at.image("mosaic")) as picture:
        assert picture.info == {}
        image = np.asarray(picture)
    x, y = (shown.obsm["spatial"] * shown.uns["blindfold"]["scale"]).round().astype(int).T
    reach = 10
    means = [
        image[b - reach : b + reach, a - reach : a + reach].mean()
        for a, b in zip(x, y, strict=True)
    ]
    assert image[:20, :20].mean() > 240
    assert np.max(means) < 235
