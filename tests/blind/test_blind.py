"""What methods see carries no label, and the vault leads back to every cell."""

import json
import re

import anndata
import h5py
import numpy as np
import pandas as pd
import pytest
import scipy.sparse as sp
from hypothesis import given, settings
from hypothesis import strategies as st

from blindfold.blind import shuffle
from blindfold.blind.blind import anonymous_names, blind, blinded_frame, cell_order, truth_table
from blindfold.blind.shuffle import shuffled_blocks
from blindfold.core import blocks
from blindfold.core.datasets import DatasetCard, dataset_card
from blindfold.core.errors import BlindfoldError
from blindfold.core.layout import Layout
from blindfold.fetch.fetch import fetch
from blindfold.prepare.prepare import prepare
from tests.blind.conftest import CARD, prepared_cells


@settings(max_examples=40, deadline=None)
@given(st.integers(1, 60), st.integers(0, 9), st.integers(0, 5))
def test_blinding_is_a_bijection(cells, seed, missing):
    prepared = prepared_cells(cells, seed, missing)
    order = cell_order("tiny", seed, cells)
    shown = blinded_frame(prepared, order, "site")
    hidden = truth_table(prepared, order, DatasetCard.model_validate(CARD))
    assert list(hidden.cell) == list(shown.obs_names) == sorted(shown.obs_names)
    assert sorted(hidden.original) == sorted(prepared.obs_names)
    back = prepared[hidden.original]
    np.testing.assert_array_equal(shown.obsm["spatial"], back.obsm["spatial"])
    assert hidden.label.fillna("").tolist() == back.obs.kind.astype(object).fillna("").tolist()
    first = list(dict.fromkeys(prepared.obs.site))  # batches keep the order of the file
    codes = [f"b{first.index(site) + 1:02d}" for site in back.obs.site]
    assert shown.obs.batch.tolist() == codes


@settings(max_examples=40, deadline=None)
@given(st.integers(1, 60), st.integers(1, 9), st.integers(1, 40), st.integers(0, 99))
def test_rows_are_shuffled_in_parts_as_numpy_does_at_once(
    tmp_path_factory, cells, genes, size, seed
):
    rng = np.random.default_rng(seed)
    matrix = sp.csr_matrix(rng.poisson(0.7, (cells, genes)).astype(np.float32))
    order = rng.permutation(cells)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(blocks, "BLOCK", size)
        patch.setattr(shuffle, "PARTS", 5)
        # some parts go to disk, some stay in memory
        patch.setattr(shuffle, "SPOOL", 500)
        rows = blocks.row_blocks(matrix)
        folder = tmp_path_factory.getbasetemp()
        made = list(shuffled_blocks(rows, matrix.shape, order, folder))
    assert len(made) <= 5
    np.testing.assert_array_equal(sp.vstack(made).toarray(), matrix[order].toarray())
    assert all(block.has_sorted_indices for block in made)


def test_counts_go_with_their_cells(tiny, monkeypatch):
    monkeypatch.setattr(blocks, "BLOCK", 60)
    prepared = prepared_cells(200)
    at = tiny(prepared)
    shown = anndata.read_h5ad(at.input("tiny"))
    back = prepared[pd.read_parquet(at.truth("tiny")).original]
    np.testing.assert_array_equal(shown.X.toarray(), back.X.toarray())
    np.testing.assert_array_equal(shown.obsm["spatial"], back.obsm["spatial"])
    counts = json.loads(at.card("tiny").read_text())["counts"]
    dense = prepared.X.toarray()
    assert counts == {
        "median_total_counts": np.median(dense.sum(axis=1)),
        "median_genes": np.median((dense > 0).sum(axis=1)),
        "density": pytest.approx((dense > 0).mean()),
    }


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
    assert list(shown.obs_names) == anonymous_names(50)


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
    assert (cell_order("a", 0, 99) == cell_order("a", 0, 99)).all()
    assert (cell_order("a", 0, 99) != cell_order("b", 0, 99)).any()
    assert (cell_order("a", 0, 99) != cell_order("a", 1, 99)).any()


def test_the_order_tells_nothing_of_the_class(tiny):
    """In the sorted file neighbours share their class; in the blinded one they do so by chance."""
    at = tiny(prepared_cells(3_000))
    label = pd.read_parquet(at.truth("tiny")).label.to_numpy()
    shares = pd.Series(label).value_counts(normalize=True)
    assert (label[1:] == label[:-1]).mean() == pytest.approx((shares**2).sum(), abs=0.03)
    position = np.arange(3_000) / 3_000
    for kind in shares.index:
        assert position[label == kind].mean() == pytest.approx(0.5, abs=0.04)


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


def test_further_labels_and_the_report_of_preparation(tiny):
    prepared = prepared_cells(40)
    prepared.obs["fine"] = [None, *range(39)]
    prepared.obs["fine"] = prepared.obs["fine"].astype("category")
    at = tiny(prepared, label={"column": "kind", "more": ["fine"]})
    hidden = pd.read_parquet(at.truth("tiny")).set_index("original")
    assert list(hidden.columns) == ["cell", "label", "label_2"]
    back = hidden.loc[prepared.obs_names]
    assert list(back.label) == list(prepared.obs.kind)
    assert back.label_2.isna().tolist() == [True] + [False] * 39
    facts = json.loads(at.card("tiny").read_text())
    assert facts["flaws"] == {"empty_cells": {"found": 2, "repair": "drop"}}
    assert facts["quality"] == {}
    assert facts["raw_sha256"] == {"a": "5" * 64}


def test_hidden_batches_and_sections(tiny):
    prepared = prepared_cells(40)
    merged = tiny(prepared, "merged", degrade={"merge_batches": True})
    assert list(anndata.read_h5ad(merged.input("tiny")).obs.columns) == []
    prepared.obs = prepared.obs.rename(columns={"site": "section"})
    joint = tiny(prepared, "joint", batch=None, reader=None, files=[], sections=["a", "b"])
    assert set(anndata.read_h5ad(joint.input("tiny")).obs.batch) == {"b01", "b02"}


def test_blinding_needs_prepared_data(tiny):
    card = DatasetCard.model_validate(CARD)
    at = tiny(prepared_cells(10))
    at.prepared("tiny").write_bytes(at.prepared("tiny").read_bytes()[:500])
    with pytest.raises(BlindfoldError, match=r"image\.png"):
        tiny(prepared_cells(10), "pictured", image=True)
    with pytest.raises(BlindfoldError, match="truncated"):
        blind("tiny", card, at, 0)
    at.prepared("tiny").unlink()
    with pytest.raises(BlindfoldError, match="not found"):
        blind("tiny", card, at, 0)


def test_an_image_matches_its_coordinates(tmp_path):
    """Every spot of the mosaic lies on tissue, not on the white border."""
    from PIL import Image

    at, card = Layout(tmp_path / "r"), dataset_card("mosaic")
    fetch(card, at.fetched("mosaic"), tmp_path / "cache", [], True)
    prepare("mosaic", card, at)
    blind("mosaic", card, at, 0)
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
