"""Neighbour graphs: exactness, the tie rule, duplicates, normalisations."""

from __future__ import annotations

import numpy as np
import scipy.sparse as sp
from hypothesis import given, settings
from hypothesis import strategies as st

from methods.shared.graphs.neighbors import feature_knn, pitch_of, spatial_knn
from methods.shared.graphs.weights import adjacency, normalized_adjacency, symmetrized
from tests.methods.toys import tissue


def by_sorting(points: np.ndarray, k: int, unit: float) -> np.ndarray:
    distance = np.linalg.norm(points[:, None] - points[None], axis=2)
    key = np.rint(distance / unit)
    np.fill_diagonal(key, -1)
    index = np.broadcast_to(np.arange(len(points)), key.shape)
    return np.lexsort((index, key), axis=1)[:, 1 : k + 1]


@given(st.integers(0, 10**6), st.integers(2, 40), st.integers(1, 12))
@settings(max_examples=40, deadline=None)
def test_lattice_ties_as_by_sorting_all_distances(seed, n, k):
    """Integer positions: many ties and duplicates, all decided by index."""
    points = np.random.default_rng(seed).integers(0, 5, (n, 2)).astype(float)
    found = spatial_knn(points, k, pitch=1.0)
    np.testing.assert_array_equal(found, by_sorting(points, min(k, n - 1), 1e-6))


def test_knn_unchanged_by_rotation_translation_and_scale():
    """GraphST 8: the graph is invariant to moving, turning and scaling the tissue."""
    points = tissue()[0].coordinates
    before = spatial_knn(points, 3)
    for angle, scale in ((0.3, 1.0), (1.1, 37.0), (2.0, 1e-3)):
        turn = np.array([[np.cos(angle), -np.sin(angle)], [np.sin(angle), np.cos(angle)]])
        np.testing.assert_array_equal(spatial_knn(scale * points @ turn + 5.0, 3), before)


def test_all_spots_at_one_position():
    found = spatial_knn(np.zeros((30, 2)), 3)
    assert found[0].tolist() == [1, 2, 3]
    assert found[5].tolist() == [0, 1, 2]
    assert pitch_of(np.zeros((30, 2))) == 1.0


def test_feature_knn_against_sorting_and_never_itself():
    points = np.random.default_rng(0).normal(size=(50, 4))
    points[7] = points[3]
    index, distance = feature_knn(points, 6)
    full = np.linalg.norm(points[:, None] - points[None], axis=2)
    np.fill_diagonal(full, np.inf)
    np.testing.assert_allclose(distance, np.sort(full, axis=1)[:, :6], atol=1e-6)
    assert not (index == np.arange(50)[:, None]).any()


def test_fewer_cells_than_neighbours():
    assert feature_knn(np.arange(4.0)[:, None], 14)[0].shape == (4, 3)
    assert spatial_knn(np.arange(8.0).reshape(4, 2), 6).shape == (4, 3)
    assert feature_knn(np.zeros((1, 2)), 3)[0].shape == (1, 0)


def test_symmetrise_and_normalise():
    graph = symmetrized(adjacency(np.array([[1], [2], [1]])))
    assert (graph != graph.T).nnz == 0
    root = 1 / np.sqrt(2)
    expected = [[0, root, 0], [root, 0, root], [0, root, 0]]
    np.testing.assert_allclose(normalized_adjacency(graph).toarray(), expected, rtol=1e-6)
    assert normalized_adjacency(sp.csr_matrix((3, 3))).nnz == 0
