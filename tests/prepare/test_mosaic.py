"""The semi-synthetic tissue: pure parts, knobs, and how hard it is."""

import numpy as np
import pytest
import scipy.sparse as sp
from hypothesis import given, settings
from hypothesis import strategies as st

from blindfold.core.cards import dataset_card
from blindfold.core.errors import BlindfoldError
from blindfold.prepare.mosaic import histology, layout, spots
from blindfold.prepare.readers.mosaic import read
from blindfold.prepare.standard import pitch


def tissue(real_cells, image=False, **knobs):
    card = dataset_card("mosaic").model_copy(update={"image": image})
    return read(real_cells, {**card.options, **knobs}, card)


@settings(max_examples=25, deadline=None)
@given(st.integers(100, 3_000), st.integers(3, 12))
def test_any_lattice_has_its_spots_and_all_domains(number, domains):
    places = layout.hexagonal(number, 100.0)
    assert places.shape == (number, 2)
    assert pitch(places) == pytest.approx(100)
    assert places.min() == pytest.approx(200)
    code = layout.plant_domains(places, domains)
    assert set(code) <= set(range(domains))
    if number >= 900:
        assert set(code) == set(range(domains))
    assert len(set(layout.domain_names(domains))) == domains


def test_domains_do_not_depend_on_the_order_of_spots():
    places = layout.hexagonal(500, 55.0)
    order = np.random.default_rng(0).permutation(500)
    code = layout.plant_domains(places, 6)
    np.testing.assert_array_equal(layout.plant_domains(places[order], 6), code[order])


@given(st.integers(3, 12), st.integers(3, 20), st.floats(0, 1), st.integers(0, 99))
def test_mixtures_are_shares(domains, types, signal, seed):
    rng = np.random.default_rng(seed)
    mixture = spots.mix_types(domains, rng.random(types) + 0.01, signal, rng)
    assert mixture.min() >= 0
    np.testing.assert_allclose(mixture.sum(axis=1), 1)


def test_cells_follow_the_mixture():
    mixture = np.array([[1.0, 0.0, 0.0], [0.0, 0.25, 0.75]])
    type_of = np.array([2, 0, 1, 2, 0])
    domain = np.repeat([0, 1], 4_000)
    chosen = spots.choose_cells(domain, mixture, type_of, 5, np.random.default_rng(0))
    by_type = np.asarray((chosen @ np.eye(3)[type_of]).reshape(2, 4_000, 3).sum(axis=1))
    np.testing.assert_allclose(by_type / by_type.sum(axis=1, keepdims=True), mixture, atol=0.01)
    assert chosen.sum(axis=1).min() >= 1
    assert chosen.sum() / 8_000 == pytest.approx(5, rel=0.02)


@settings(max_examples=30, deadline=None)
@given(st.floats(0.001, 1), st.floats(0, 2), st.floats(0, 0.99), st.integers(0, 99))
def test_an_instrument_only_loses(capture, spread, dropout, seed):
    rng = np.random.default_rng(seed)
    there = sp.csr_matrix(1.0 + rng.poisson(1.0, (20, 15)))
    seen = spots.observe(there, capture, spread, dropout, rng)
    assert seen.dtype == np.float32
    assert (there.toarray() - seen.toarray()).min() >= 0
    assert seen.sum(axis=1).min() >= 1


def test_a_perfect_instrument_loses_nothing():
    there = sp.csr_matrix(np.arange(12.0).reshape(3, 4))
    seen = spots.observe(there, 1.0, 0.0, 0.0, np.random.default_rng(0))
    np.testing.assert_array_equal(seen.toarray(), there.toarray())


def test_the_image_tells_as_much_as_it_is_asked_to(real_cells):
    """Share of the variance of the spots' mean colour that lies between domains."""
    places = layout.hexagonal(600, 100.0)
    domain = layout.plant_domains(places, 6)
    told = []
    for much in (0.0, 0.6, 1.0):
        image, scale = histology.draw(places, domain, 100.0, 700, much, np.random.default_rng(3))
        assert image.shape[1] == 700
        assert image.dtype == np.uint8
        colour = _mean_colour(image, places * scale, round(50 * scale))
        means = np.array([colour[domain == d].mean(axis=0) for d in range(6)])
        told.append((means[domain].var(axis=0) / colour.var(axis=0)).max())
    assert told[0] < 0.1 < 0.2 < told[1] < told[2]


def _mean_colour(image, pixels, reach):
    windows = []
    for x, y in pixels.round().astype(int):
        windows.append(image[y - reach : y + reach, x - reach : x + reach].mean(axis=(0, 1)))
    return np.array(windows)


def test_knobs_do_what_they_say(real_cells):
    plain = tissue(real_cells)
    np.testing.assert_array_equal(plain.X.toarray(), tissue(real_cells).X.toarray())
    drawn = tissue(real_cells, image=True, image_informativeness=0.0)
    np.testing.assert_array_equal(plain.X.toarray(), drawn.X.toarray())
    assert tissue(real_cells, dropout=0.8).X.nnz < plain.X.nnz
    assert tissue(real_cells, capture=0.1).X.sum() < plain.X.sum()
    assert tissue(real_cells, cells_per_spot=12).X.sum() > plain.X.sum()
    assert (tissue(real_cells, seed=1).X != plain.X).nnz > 0
    assert tissue(real_cells, spots=500, domains=4).obs.domain.nunique() == 4


@pytest.mark.parametrize(
    ("knobs", "message"),
    [
        ({"signals": 1}, "did you mean 'signal'"),
        ({"signal": 2}, "options"),
        ({"cell_type": "kind"}, "bulk_labels"),
        ({"domains": 2}, "options"),
    ],
)
def test_wrong_knobs_are_refused(real_cells, knobs, message):
    with pytest.raises(BlindfoldError, match=message):
        tissue(real_cells, **knobs)


@pytest.mark.parametrize("seed", [0, 1, 2])
def test_the_tissue_is_neither_trivial_nor_hopeless(real_cells, seed):
    """PCA and k-means alone, and after averaging over each spot and its six nearest."""
    from sklearn.cluster import KMeans
    from sklearn.decomposition import PCA
    from sklearn.metrics import adjusted_rand_score
    from sklearn.neighbors import NearestNeighbors

    adata = tissue(real_cells)
    counts = adata.X.toarray().astype(float)
    values = np.log1p(1e4 * counts / counts.sum(axis=1, keepdims=True))
    values = values[:, values.std(axis=0) > 0]
    values = np.clip((values - values.mean(axis=0)) / values.std(axis=0), -10, 10)
    embedding = PCA(30, random_state=seed).fit_transform(values)
    near = NearestNeighbors(n_neighbors=7).fit(adata.obsm["spatial"])
    smooth = embedding[near.kneighbors(return_distance=False)].mean(axis=1)
    ari = [
        adjusted_rand_score(
            adata.obs.domain, KMeans(6, n_init=20, random_state=seed).fit_predict(points)
        )
        for points in (embedding, smooth)
    ]
    print(f"seed {seed}: PCA {ari[0]:.4f}, smoothed {ari[1]:.4f}")
    assert 0.25 < ari[0] < 0.5
    assert 0.65 < ari[1] < 0.9
