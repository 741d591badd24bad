"""STAGATE's graphs within sections and between consecutive ones."""

from __future__ import annotations

import numpy as np

from methods.stagate.section_graphs import section_graph
from tests.methods.toys import tissue


def test_a_lattice_joins_rings_and_no_duplicates():
    """Symmetric, no self and no zero-distance edges, mean degree 5 to 6."""
    data, _ = tissue(20)
    graph = section_graph(data.coordinates, 1.1 * data.pitch, data.pitch)
    assert (graph != graph.T).nnz == 0
    assert graph.diagonal().sum() == 0
    assert 5 < graph.nnz / data.n_cells < 6
    assert graph.sum(axis=1).max() == 6
    doubled = np.concatenate([data.coordinates, data.coordinates[:7]])
    again = section_graph(doubled, 1.1 * data.pitch, data.pitch)
    assert again[np.arange(400, 407), np.arange(7)].sum() == 0
    np.testing.assert_array_equal(again[400:407].toarray(), again[:7].toarray())


def test_radius_graph_is_that_of_all_distances():
    """Also rotated, scaled and moved, with the radius on a tie."""
    points = np.stack(np.meshgrid(np.arange(7.0), np.arange(6.0)), -1).reshape(-1, 2)
    distance = np.linalg.norm(points[:, None] - points, axis=2)
    expected = (distance > 0) & (distance < 2.1)
    turn = np.array([[np.cos(0.3), -np.sin(0.3)], [np.sin(0.3), np.cos(0.3)]])
    for moved, scale in ((points, 1.0), (points @ turn * 37 + 1e4, 37.0)):
        found = section_graph(moved, 2 * scale, scale)
        np.testing.assert_array_equal(found.toarray(), expected)
