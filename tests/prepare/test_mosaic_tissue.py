"""Where the spots of a semi-synthetic tissue lie, and the domain and batch of each."""

from typing import get_args

import numpy as np
import pytest
from hypothesis import assume, given, settings
from hypothesis import strategies as st
from sklearn.neighbors import NearestNeighbors

from blindfold.core.errors import BlindfoldError
from blindfold.prepare.mosaic import lattice
from blindfold.prepare.mosaic.domains import domain_names, plant_domains
from blindfold.prepare.mosaic.options import LayoutName, Options
from blindfold.prepare.mosaic.tissue import lay_out_tissue

LAYOUTS = get_args(LayoutName)
CELLS = {"reader": "h5ad", "cell_type": "kind"}


def plant(name, spots=1200, domains=6, evenness=1.0, seed=0):
    coordinates = lattice.hexagonal(spots, 100.0)
    code, position = plant_domains(
        name, coordinates, domains, evenness, np.random.default_rng(seed)
    )
    return coordinates, code, position


def nearest_distance(coordinates):
    """Return the median distance to the nearest other spot, from all pairs."""
    away = np.linalg.norm(coordinates[:, None] - coordinates, axis=2)
    return np.median((away + 1e9 * np.eye(len(coordinates))).min(axis=1))


def agreement(coordinates, code):
    """Return the share of pairs of touching spots that belong to one domain."""
    near = NearestNeighbors(radius=110).fit(coordinates).radius_neighbors_graph(coordinates).tocoo()
    apart = near.row != near.col
    return (code[near.row] == code[near.col])[apart].mean()


@settings(max_examples=40, deadline=None)
@given(st.sampled_from(LAYOUTS), st.integers(100, 2_000), st.integers(3, 12), st.floats(0.2, 1))
def test_any_lattice_has_its_spots_and_all_domains(name, spots, domains, evenness):
    assume(name != "checkerboard" or evenness == 1)
    coordinates, code, position = plant(name, spots, domains, evenness)
    assert coordinates.shape == (spots, 2)
    assert nearest_distance(coordinates) == pytest.approx(100)
    assert coordinates.min() == pytest.approx(200)
    assert set(code) <= set(range(domains))
    if spots >= 1500:
        assert set(code) == set(range(domains))
    assert position.min() >= 0
    assert position.max() <= domains - 1
    assert len(set(domain_names(name, domains))) == domains


@pytest.mark.parametrize("name", [name for name in LAYOUTS if name != "none"])
def test_domains_do_not_depend_on_the_order_of_spots(name):
    coordinates = lattice.hexagonal(500, 55.0)
    order = np.random.default_rng(0).permutation(500)
    rng = np.random.default_rng(0)
    code, _ = plant_domains(name, coordinates, 5, 1.0, rng)
    np.testing.assert_array_equal(
        plant_domains(name, coordinates[order], 5, 1.0, rng)[0], code[order]
    )


@pytest.mark.parametrize("name", ["layers", "gradient", "none"])
@pytest.mark.parametrize("evenness", [1.0, 0.25])
def test_sizes_fall_geometrically_to_what_was_asked(name, evenness):
    _, code, _ = plant(name, spots=3000, domains=5, evenness=evenness)
    ratio = evenness ** (np.arange(5) / 4)
    np.testing.assert_allclose(np.bincount(code) / 3000, ratio / ratio.sum(), atol=0.01)


def test_islands_share_half_of_the_tissue():
    coordinates, code, _ = plant("islands", spots=3000, domains=5, evenness=0.25)
    ratio = 0.25 ** (np.arange(4) / 3)
    expected = [0.5, *(0.5 * ratio / ratio.sum())]
    np.testing.assert_allclose(np.bincount(code) / 3000, expected, atol=0.03)
    assert agreement(coordinates, code) > 0.85


def test_smaller_layers_leave_the_island_and_the_strip_as_they_are():
    _, even, _ = plant("mosaic")
    _, uneven, _ = plant("mosaic", evenness=0.2)
    np.testing.assert_array_equal(even >= 4, uneven >= 4)
    layers = np.bincount(uneven)[:4]
    assert (np.diff(layers) < 0).all()
    assert layers[-1] / layers[0] < 0.5 * np.bincount(even)[3] / np.bincount(even)[0]


def test_neighbours_tell_of_domains_but_where_there_is_no_order():
    for name in LAYOUTS:
        told = agreement(*plant(name)[:2])
        if name == "none":
            assert told == pytest.approx(1 / 6, abs=0.03)
        else:
            assert told > 0.6, name


@pytest.mark.parametrize("domains", range(2, 13))
def test_fields_that_share_a_side_differ(domains):
    coordinates, code, _ = plant("checkerboard", spots=2000, domains=domains)
    unit = (coordinates - coordinates.min(axis=0)) / np.ptp(coordinates[:, 0])
    unit[:, 1] += (1 - unit[:, 1].max()) / 2
    field = {}
    for column, row, domain in zip(*(unit * 8).clip(0, 7.999).astype(int).T, code, strict=True):
        assert field.setdefault((column, row), domain) == domain
    for (column, row), domain in field.items():
        assert field.get((column + 1, row)) != domain
        assert field.get((column, row + 1)) != domain


def test_a_gradient_has_no_steps():
    coordinates, code, position = plant("gradient", spots=3000)
    order = np.argsort(coordinates[:, 0])
    assert (np.diff(position[order]) >= 0).all()
    assert np.diff(position[order]).max() < 0.2
    assert (np.diff(code[order]) >= 0).all()
    assert np.abs(position - code).max() < 0.51


def tissue(seed=0, **changes):
    options = Options(cells=CELLS, signal=0.8, **changes)
    return lay_out_tissue(options, np.random.default_rng(seed))


def test_sections_are_tissues_of_their_own():
    made = tissue(spots=1001, batches=3)
    assert sorted(np.bincount(made.batch)) == [333, 334, 334]
    for code in range(3):
        own, other = made.coordinates[made.batch == code], made.coordinates[made.batch != code]
        assert set(made.domain[made.batch == code]) == set(range(6))
        away = np.linalg.norm(own[:, None] - other, axis=2)
        assert away.min() >= 1000
        assert nearest_distance(own) == pytest.approx(100)


def test_interleaved_batches_are_one_tissue():
    made, plain = tissue(batches=3, batch_layout="interleaved"), tissue()
    np.testing.assert_array_equal(made.coordinates, plain.coordinates)
    np.testing.assert_array_equal(made.domain, plain.domain)
    assert list(np.bincount(made.batch)) == [400, 400, 400]
    assert agreement(made.coordinates, made.batch) == pytest.approx(1 / 3, abs=0.03)


def test_too_few_spots_for_the_domains_are_refused():
    with pytest.raises(BlindfoldError, match="more spots than 100"):
        tissue(spots=100, batches=10)
