"""Graphs of spots within a radius against all distances."""

from __future__ import annotations

import numpy as np
import pytest
from scipy.spatial.distance import cdist

from methods.shared.graphs.radius import radius_graph


def hexagonal(side: int) -> np.ndarray:
    row, column = np.divmod(np.arange(side * side), side)
    return np.column_stack([column + 0.5 * (row % 2), row * np.sqrt(3) / 2])


def test_radius_reaches_four_rings():
    """Inside a hexagonal lattice a radius of 4.09 pitches reaches 60 neighbours."""
    coordinates = hexagonal(15) * 137.0
    degree = np.asarray(radius_graph(coordinates, 4.09 * 137).sum(axis=1)).ravel()
    assert degree[15 * 7 + 7] == degree.max() == 60


@pytest.mark.parametrize("seed", range(3))
def test_radius_graph_equals_all_distances(seed):
    """The tree gives the graph of all distances, in the plane and in space."""
    for width in (2, 3):
        coordinates = np.random.default_rng(seed).uniform(0, 10, (120, width))
        expected = cdist(coordinates, coordinates) <= 2.0
        np.fill_diagonal(expected, False)
        np.testing.assert_array_equal(radius_graph(coordinates, 2.0).toarray(), expected)


def test_radius_graph_does_not_see_rotation_or_scale():
    """Ties at the radius itself are decided alike after rotating, moving and scaling."""
    coordinates, turn = hexagonal(12), np.array([[0.6, -0.8], [0.8, 0.6]])
    plain = radius_graph(coordinates, 2.0)
    moved = radius_graph(71.3 * coordinates @ turn.T + 1e4, 2 * 71.3)
    assert (plain != moved).nnz == 0
    assert plain.sum(axis=1).max() == 18


def test_a_radius_that_joins_everything_is_refused():
    """Bad input: thousands of spots at one position would need an array of all pairs."""
    with pytest.raises(ValueError, match="radius"):
        radius_graph(np.zeros((3000, 2)), 4.0)
