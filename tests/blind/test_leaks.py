"""Nothing in the blinded file but counts and coordinates says anything about the truth."""

import anndata
import h5py
import numpy as np
import pandas as pd
import pytest
from sklearn.metrics import adjusted_rand_score
from sklearn.model_selection import StratifiedKFold, cross_val_score
from sklearn.tree import DecisionTreeClassifier

from blindfold.blind.blind import blind
from blindfold.core.datasets import DatasetCard, dataset_card
from blindfold.core.layout import Layout
from blindfold.fetch.fetch import fetch
from blindfold.prepare.prepare import prepare
from tests.conftest import MIRROR, needs_mirror

OSMFISH = DatasetCard(
    title="osmFISH", organism="mouse", tissue="cortex", technology="osmFISH", modality="spatial",
    paper="p", licence="l", reader="h5ad", label="Region", values="expression",
    repair={"duplicate_spots": "keep"},
    files=[{"path": "osmfish_ssp/osmfish.h5ad", "role": "cells", "url": "http://x"}],
)  # fmt: skip

SETS = [
    "pbmc68k",
    "mosaic",
    pytest.param("osmfish", marks=needs_mirror),
]


def sorted_by_class(path, label):
    """Put the prepared cells into the order of their classes, as the worst published files are."""
    adata = anndata.read_h5ad(path)
    order = np.argsort(adata.obs[label].astype(str).to_numpy(), kind="stable")
    adata[order].write_h5ad(path)


@pytest.fixture(scope="module", params=SETS)
def places(request, tmp_path_factory):
    """Return a dataset blinded three times: twice as it is, once with permuted labels."""
    name = request.param
    card = OSMFISH if name == "osmfish" else dataset_card(name)
    folder = tmp_path_factory.mktemp(name)
    made = [Layout(folder / kind) for kind in ("one", "again", "canary")]
    for at in made:
        fetch(card, at.fetched(name), folder / "cache", [str(MIRROR)], True)
        prepare(name, card, at, permute=at is made[2])
        blind(name, card, at, 0)
    return name, card, made


def test_the_same_bytes_twice_and_with_permuted_labels(places):
    """So neither size, order, names, attributes nor anything else depends on the labels."""
    name, card, made = places
    for kind in ("input", "card", *(["image"] if card.image else [])):
        files = {getattr(at, kind)(name).read_bytes() for at in made}
        assert len(files) == 1, kind
    one, again, canary = (at.truth(name).read_bytes() for at in made)
    assert one == again != canary


def test_the_vault_leads_back_to_every_cell(places):
    name, card, made = places
    hidden = pd.read_parquet(made[0].truth(name)).set_index("original")
    kept = anndata.read_h5ad(made[0].prepared(name))
    labels = hidden.label[kept.obs_names].fillna("").to_numpy()
    assert (labels == kept.obs[card.label.column].astype(object).fillna("").to_numpy()).all()
    shown = anndata.read_h5ad(made[0].input(name))
    back = kept[pd.read_parquet(made[0].truth(name)).original]
    assert (shown.X != back.X).nnz == 0


def features(path):
    """Return everything about each cell but counts and coordinates, as numbers, by column."""
    shown = anndata.read_h5ad(path)
    position = np.arange(shown.n_obs)
    columns = {
        "position": position,
        "parity": position % 2,
        "number in the name": shown.obs_names.str.lstrip("c").astype(int).to_numpy(),
        "length of the name": shown.obs_names.str.len().to_numpy(),
    }
    for name, column in shown.obs.items():
        columns[f"obs {name}"] = pd.factorize(column)[0]
    with h5py.File(path) as file:
        for key, item in file["obs"].items():
            if isinstance(item, h5py.Dataset) and item.shape == (shown.n_obs,):
                columns[f"stored {key}"] = pd.factorize(item[:])[0]
    return pd.DataFrame(columns)


def guess(table, labels):
    """Return how well a tree foretells the labels of unseen cells, chance at 0."""
    known = labels.notna().to_numpy()
    codes = pd.factorize(labels[known])[0]
    common = np.isin(codes, np.flatnonzero(np.bincount(codes) >= 5))
    tree = DecisionTreeClassifier(min_samples_leaf=3, class_weight="balanced", random_state=0)
    folds = StratifiedKFold(5, shuffle=True, random_state=0)
    found = cross_val_score(
        tree, table[known][common], codes[common], cv=folds, scoring="balanced_accuracy"
    )
    chance = 1 / len(np.unique(codes[common]))
    return float((found.mean() - chance) / (1 - chance))


def block_agreement(labels):
    """Return how far equal stretches of the order agree with the classes."""
    known = labels.dropna()
    stretch = np.arange(len(known)) * known.nunique() // len(known)
    return float(adjusted_rand_score(known, stretch))


def runs(labels):
    """Return the number of runs of one class, in standard deviations from its expectation."""
    codes = pd.factorize(labels.dropna())[0]
    n, sizes = len(codes), np.bincount(codes).astype(float)
    squares, cubes = (sizes**2).sum(), (sizes**3).sum()
    expected = (n * (n + 1) - squares) / n
    spread = (squares * (squares + n * (n + 1)) - 2 * n * cubes - n**3) / (n**2 * (n - 1))
    return float((1 + (codes[1:] != codes[:-1]).sum() - expected) / np.sqrt(spread))


def test_order_names_and_obs_foretell_nothing(places, tmp_path):
    """The prepared file is sorted by class first: were the order kept, every attack would win."""
    name, card, made = places
    at = Layout(tmp_path)
    for source, target in (
        (made[0].prepared(name), at.prepared(name)),
        (made[0].fetched(name), at.fetched(name)),
        *([(made[0].prepared_image(name), at.prepared_image(name))] if card.image else []),
    ):
        target.parent.mkdir(parents=True, exist_ok=True)
        target.write_bytes(source.read_bytes())
    sorted_by_class(at.prepared(name), card.label.column)
    blind(name, card, at, 0)
    hidden = pd.read_parquet(at.truth(name)).label
    assert abs(guess(features(at.input(name)), hidden)) < 0.08
    assert abs(block_agreement(hidden)) < 0.01
    assert abs(runs(hidden)) < 4
    # the same attacks on the order that was hidden
    kept = anndata.read_h5ad(at.prepared(name)).obs[card.label.column].astype(object)
    kept = kept.reset_index(drop=True)
    assert guess(pd.DataFrame({"position": np.arange(len(kept))}), kept) > 0.9
    assert block_agreement(kept) > 0.3
    assert runs(kept) < -20


def test_no_class_or_cell_is_named_in_the_file(places):
    """Searches the raw bytes, unused space included, and every text that HDF5 stores packed."""
    name, card, made = places
    hidden = pd.read_parquet(made[0].truth(name))
    words = {card.label.column, *hidden.label.dropna().unique(), *hidden.original[:50]}
    path = made[0].input(name)
    texts = [path.read_bytes(), made[0].card(name).read_bytes()]
    with h5py.File(path) as file:

        def collect(place, item):
            texts.extend(str(value).encode() for value in [place, *item.attrs.values()])
            # names of genes are no secret, and a class may be named like one
            if isinstance(item, h5py.Dataset) and item.dtype.kind == "O" and "var/" not in place:
                texts.extend(str(value).encode() for value in np.atleast_1d(item[()]))

        file.visititems(collect)
    everything = b"\n".join(texts)
    for word in words:
        # short words occur in compressed bytes by chance
        assert len(word) < 5 or word.encode() not in everything, word
