"""The semi-synthetic tissue: its expression, its image, its options, and how hard it is."""

import hashlib
import zipfile
from importlib.util import find_spec
from pathlib import Path

import h5py
import numpy as np
import pandas as pd
import pytest
import scipy.sparse as sp
from hypothesis import given, settings
from hypothesis import strategies as st

from blindfold.core.config import read_config
from blindfold.core.datasets import dataset_card, find_datasets
from blindfold.core.entries import resolve_datasets
from blindfold.core.errors import BlindfoldError
from blindfold.prepare.mosaic import batches, domains, histology, lattice, spots
from blindfold.prepare.mosaic.options import Options
from blindfold.prepare.readers import reader
from tests.conftest import MIRROR, REPOSITORY, needs_mirror

PACKAGED = Path(find_spec("scanpy").origin).parent / "datasets/10x_pbmc68k_reduced.h5ad"
BLOOD = {"cells": PACKAGED}
ONE_WHOLE_CELL = {"cells_per_spot": 1, "capture": 1, "depth_spread": 0, "dropout": 0}


def tissue(files=BLOOD, image=False, card="mosaic", **changes):
    card = dataset_card(card).model_copy(update={"image": image})
    return reader("mosaic")(files, {**card.options, **changes}, card)


def test_the_default_tissue_stays_as_it_is():
    """The demonstration's results are read off this very tissue."""
    made = tissue(image=True)
    digests = {
        "counts": made.X.toarray().astype(np.int32).tobytes(),
        "domains": "\n".join(made.obs.domain).encode(),
        "coordinates": made.obsm["spatial"].astype(np.float32).tobytes(),
        "image": made.uns["image"].tobytes(),
    }
    found = {name: hashlib.sha256(content).hexdigest()[:16] for name, content in digests.items()}
    assert found == {
        "counts": "64a2b8386c4f4b7e",
        "domains": "c98eca73cb321096",
        "coordinates": "0f52517efe317305",
        "image": "89e2b49f1a2b4054",
    }
    assert made.uns["scale"] == 0.25


@given(st.integers(2, 12), st.integers(3, 20), st.floats(0, 1), st.integers(0, 99))
def test_mixtures_are_shares(number, types, signal, seed):
    rng = np.random.default_rng(seed)
    mixture = spots.mix_types(number, rng.random(types) + 0.01, signal, rng)
    assert mixture.min() >= 0
    np.testing.assert_allclose(mixture.sum(axis=1), 1)


@given(st.integers(2, 6), st.lists(st.floats(0, 1), min_size=1, max_size=8))
def test_mixtures_change_linearly_between_domains(number, along):
    mixture = np.random.default_rng(0).dirichlet(np.ones(4), number)
    position = np.array(along) * (number - 1)
    expected = [np.interp(position, np.arange(number), mixture[:, kind]) for kind in range(4)]
    np.testing.assert_allclose(spots.mix_spots(mixture, position), np.transpose(expected))


def test_cells_follow_the_mixture():
    mixture = np.array([[1.0, 0.0, 0.0], [0.0, 0.25, 0.75]])
    type_of = np.array([2, 0, 1, 2, 0])
    domain = np.repeat([0, 1], 4_000)
    chosen = spots.choose_cells(mixture[domain], type_of, 5, np.random.default_rng(0))
    by_type = np.asarray((chosen @ np.eye(3)[type_of]).reshape(2, 4_000, 3).sum(axis=1))
    np.testing.assert_allclose(by_type / by_type.sum(axis=1, keepdims=True), mixture, atol=0.01)
    assert chosen.sum(axis=1).min() >= 1
    assert chosen.sum() / 8_000 == pytest.approx(5, rel=0.02)


@settings(max_examples=30, deadline=None)
@given(st.floats(0.001, 1), st.floats(0, 2), st.floats(0, 0.99), st.integers(0, 99))
def test_an_instrument_only_loses(capture, spread, dropout, seed):
    rng = np.random.default_rng(seed)
    there = sp.csr_matrix(1.0 + rng.poisson(1.0, (20, 15)))
    seen, complete = spots.observe(there, capture, spread, dropout, rng)
    assert seen.dtype == complete.dtype == np.float32
    assert (there.toarray() - complete.toarray()).min() >= 0
    assert seen.sum(axis=1).min() >= 1
    assert (complete.toarray() - seen.toarray()).min() >= 0
    # a spot with one count may be one that was saved from being empty
    kept = (seen.toarray() > 0) & (seen.toarray().sum(axis=1, keepdims=True) > 1)
    np.testing.assert_array_equal(seen.toarray()[kept], complete.toarray()[kept])


def test_a_perfect_instrument_loses_nothing():
    there = sp.csr_matrix(np.arange(12.0).reshape(3, 4))
    for seen in spots.observe(there, 1.0, 0.0, 0.0, np.random.default_rng(0)):
        np.testing.assert_array_equal(seen.toarray(), there.toarray())


def test_the_truth_of_dropout_is_what_is_seen_without_it():
    dropped, whole = tissue(dropout=0.7), tissue(dropout=0)
    np.testing.assert_array_equal(dropped.layers["complete"].toarray(), whole.X.toarray())
    lost = (dropped.X.toarray() == 0) & (whole.X.toarray() == 1)
    assert lost.sum() / (whole.X.toarray() == 1).sum() == pytest.approx(0.7, abs=0.01)


@settings(max_examples=10, deadline=None)
@given(st.floats(0, 1), st.integers(0, 99))
def test_batch_factors_act_on_the_mean_exactly(strength, seed):
    rng = np.random.default_rng(seed)
    factor = batches.draw_factors(2, 30, strength, rng)
    batch = np.arange(4_000) % 2
    counts = sp.csr_matrix(np.full((4_000, 30), 3.0))
    scaled = batches.scale_counts(counts, factor, batch, rng).toarray()
    assert (scaled == np.rint(scaled)).all()
    for code in range(2):
        # rounding at random has a variance of at most a quarter
        np.testing.assert_allclose(
            scaled[batch == code].mean(axis=0), 3 * factor[code], atol=5 * 0.5 / np.sqrt(2_000)
        )
    many = np.log(batches.draw_factors(10, 5_000, strength, rng))
    assert many.std() == pytest.approx(strength, rel=0.02)


def test_the_strength_of_a_batch_effect_is_as_asked():
    """Expected: log ratios of two batches spread by strength times the root of two."""
    changes = {"batches": 2, "batch_layout": "interleaved", "depth_spread": 0, "dropout": 0}
    for strength in (0.0, 0.5):
        made = tissue(**changes, batch_strength=strength, spots=3000)
        first = (made.obs.batch == "batch 1").to_numpy()
        counts = made.X.toarray()
        often = counts.mean(axis=0) > 3
        assert often.sum() > 80
        ratio = np.log(counts[first].mean(axis=0) / counts[~first].mean(axis=0))[often]
        assert ratio.std() == pytest.approx(strength * np.sqrt(2), rel=0.2, abs=0.05)


def test_the_image_tells_as_much_as_it_is_asked_to():
    """Share of the variance of the spots' mean colour that lies between domains."""
    coordinates = lattice.hexagonal(600, 100.0)
    domain, _ = domains.plant_domains("mosaic", coordinates, 6, 1.0, np.random.default_rng(0))
    told = []
    for much in (0.0, 0.6, 1.0):
        image, scale = histology.draw(
            coordinates, domain, 100.0, 700, much, np.random.default_rng(3)
        )
        assert image.shape[1] == 700
        assert image.dtype == np.uint8
        colour = _mean_colour(image, coordinates * scale, round(50 * scale))
        means = np.array([colour[domain == d].mean(axis=0) for d in range(6)])
        told.append((means[domain].var(axis=0) / colour.var(axis=0)).max())
    assert told[0] < 0.1 < 0.2 < told[1] < told[2]


def _mean_colour(image, pixels, reach):
    windows = []
    for x, y in pixels.round().astype(int):
        windows.append(image[y - reach : y + reach, x - reach : x + reach].mean(axis=(0, 1)))
    return np.array(windows)


def test_options_do_what_they_say():
    plain = tissue()
    np.testing.assert_array_equal(plain.X.toarray(), tissue().X.toarray())
    drawn = tissue(image=True, image_informativeness=0.0)
    np.testing.assert_array_equal(plain.X.toarray(), drawn.X.toarray())
    assert tissue(dropout=0.8).X.nnz < plain.X.nnz
    assert tissue(capture=0.1).X.sum() < plain.X.sum()
    assert tissue(cells_per_spot=12).X.sum() > plain.X.sum()
    assert (tissue(seed=1).X != plain.X).nnz > 0
    assert tissue(spots=500, domains=4).obs.domain.nunique() == 4
    assert list(plain.obs.batch.unique()) == ["batch 1"]


OTHER_COLUMN = {"reader": "log_normalised", "cell_type": "kind"}


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"signals": 1}, "did you mean 'signal'"),
        ({"signal": 2}, "options"),
        ({"cells": OTHER_COLUMN}, "bulk_labels"),
        ({"cells": {**OTHER_COLUMN, "reader": "log_normalized"}}, "did you mean 'log_normalised'"),
        ({"domains": 2}, "at least 3 domains"),
        ({"layout": "layer"}, "'layers'"),
        ({"layout": "checkerboard", "evenness": 0.5}, "equally large"),
    ],
)
def test_wrong_options_are_refused(changes, message):
    with pytest.raises(BlindfoldError, match=message):
        tissue(**changes)


def h5_of(path, counts, labels):
    with h5py.File(path, "w") as file:
        file["X"], file["Y"] = counts, labels
    return {"counts": path}


ANY_CELLS = {"cells": {"reader": "xy_h5", "cell_type": "Y"}, "layout": "layers", "spots": 400}


def test_any_labelled_cells_will_do(tmp_path):
    """A spot of one cell seen whole is a row of the source; cells of no type or count are not."""
    rng = np.random.default_rng(0)
    counts = rng.poisson(1.0, (60, 25))
    counts[:, 0] = 1 + np.arange(60)
    labels = np.repeat([1.0, 2.0, 3.0], 20)
    labels[:5] = np.nan
    counts[50:] = 0
    made = tissue(
        h5_of(tmp_path / "c.h5", counts, labels), **ANY_CELLS, **ONE_WHOLE_CELL, domains=3
    )
    source = made.X.toarray()[:, 0].astype(int) - 1
    np.testing.assert_array_equal(made.X.toarray(), counts[source])
    assert set(source) <= set(range(5, 50))
    assert len(set(source)) > 40


def test_cells_without_counts_are_refused(tmp_path):
    files = h5_of(tmp_path / "c.h5", np.full((40, 6), 0.5), np.arange(40) % 4)
    with pytest.raises(BlindfoldError, match="made of counts") as error:
        tissue(files, **ANY_CELLS)
    assert "0.5" in str(error.value)


@needs_mirror
def test_spots_of_pancreas_cells_are_sums_of_the_published_ones(tmp_path):
    with zipfile.ZipFile(MIRROR / "baron_mouse1" / "Baron mouse1.zip") as archive:
        lines = archive.read("GSM2230761_mouse1_umifm_counts.csv").splitlines(keepends=True)
    some = tmp_path / "some.csv"
    some.write_bytes(b"".join(lines[:200]))
    published = pd.read_csv(some, index_col=0).drop(columns=["barcode", "assigned_cluster"])
    changes = {**ONE_WHOLE_CELL, "spots": 300}
    made = tissue({"counts": some}, card="mosaic_pancreas", **changes)
    assert list(made.var_names) == list(published.columns)
    known = {row.tobytes() for row in published.to_numpy(dtype=np.float32)}
    assert {row.tobytes() for row in made.X.toarray()} <= known


@needs_mirror
def test_spots_of_cord_blood_cells_are_sums_of_the_published_ones():
    file = MIRROR / "cite_cbmc" / "CITE_CBMC_counts_top2000.h5"
    with h5py.File(file) as handle:
        known = {row.tobytes() for row in handle["X"][:].astype(np.float32)}
    made = tissue({"counts": file}, card="mosaic_cord_blood", **ONE_WHOLE_CELL)
    assert made.shape == (3000, 2000)
    assert {row.tobytes() for row in made.X.toarray()} <= known


@pytest.mark.parametrize("name", [name for name in find_datasets() if name.startswith("mosaic")])
def test_cards_name_their_domains(name):
    card = dataset_card(name)
    options = Options.model_validate(card.options)
    assert card.expected.cells == options.spots
    assert card.expected.classes == options.domains
    assert card.pitch in (None, options.pitch)
    assert (card.batch is not None) == (options.batches > 1)
    if card.label.order:
        assert card.label.order == domains.domain_names(options.layout, options.domains)


def test_every_step_of_the_series_is_possible():
    config = read_config([REPOSITORY / "config.yaml", REPOSITORY / "configs" / "series.yaml"])
    cards = resolve_datasets(config.datasets)
    assert {"mosaic-signal-0", "mosaic-layout-none", "mosaic_layers-evenness-0.1"} <= set(cards)
    for card in cards.values():
        Options.model_validate(card.options)


def embedded(adata):
    """Return 30 principal components, alone and averaged over each spot and its six nearest."""
    from sklearn.decomposition import PCA
    from sklearn.neighbors import NearestNeighbors

    counts = adata.X.toarray().astype(float)
    values = np.log1p(1e4 * counts / counts.sum(axis=1, keepdims=True))
    values = values[:, values.std(axis=0) > 0]
    values = np.clip((values - values.mean(axis=0)) / values.std(axis=0), -10, 10)
    embedding = PCA(30, random_state=0).fit_transform(values)
    near = NearestNeighbors(n_neighbors=7).fit(adata.obsm["spatial"])
    return embedding, embedding[near.kneighbors(return_distance=False)].mean(axis=1)


def ari_of(adata, seed=0, starts=20):
    """Return the adjusted Rand index of k-means on each embedding, K given."""
    from sklearn.cluster import KMeans
    from sklearn.metrics import adjusted_rand_score

    k = adata.obs.domain.nunique()
    return [
        adjusted_rand_score(
            adata.obs.domain, KMeans(k, n_init=starts, random_state=seed).fit_predict(points)
        )
        for points in embedded(adata)
    ]


@pytest.mark.parametrize("seed", [0, 1, 2])
def test_the_tissue_is_neither_trivial_nor_hopeless(seed):
    alone, smooth = ari_of(tissue(), seed)
    print(f"seed {seed}: PCA {alone:.4f}, smoothed {smooth:.4f}")
    assert 0.25 < alone < 0.5
    assert 0.65 < smooth < 0.9


@pytest.mark.parametrize("name", ["layers", "islands", "gradient", "checkerboard", "none"])
def test_neighbours_help_where_there_is_an_order_and_only_there(name):
    alone, smooth = ari_of(tissue(layout=name), starts=5)
    print(f"{name}: PCA {alone:.4f}, smoothed {smooth:.4f}")
    if name == "none":
        assert smooth < 0.05 < 0.25 < alone
    else:
        assert smooth > alone > 0.1
