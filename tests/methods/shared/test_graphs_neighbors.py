"""Nearest neighbours: exactness, the tie rule, duplicates, and what stands in for many cells."""

from __future__ import annotations

import numpy as np
import scipy.sparse as sp
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.spatial.distance import cdist
from sklearn.neighbors import kneighbors_graph

from methods.shared.expression.spots import filtered_expression
from methods.shared.graphs import neighbors
from methods.shared.graphs.neighbors import (
    cosine_knn,
    expression_knn,
    feature_knn,
    pitch_of,
    spatial_knn,
)
from methods.shared.graphs.weights import adjacency, row_normalized, symmetrized, with_loops
from tests.methods.toys import rng, tissue


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
    """The graph does not change when the tissue is moved, turned or scaled."""
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


def test_neighbours_equal_those_of_the_full_distance_matrix():
    """The search in blocks finds what sorting all distances finds."""
    features = rng().normal(size=(300, 6)).astype(np.float32)
    full = cdist(features, features)
    np.fill_diagonal(full, np.inf)
    found, distance = feature_knn(features, 7)
    np.testing.assert_array_equal(found, np.argsort(full, axis=1)[:, :7])
    np.testing.assert_allclose(distance, np.sort(full, axis=1)[:, :7], rtol=1e-5)


def test_fewer_cells_than_neighbours():
    assert feature_knn(np.arange(4.0)[:, None], 14)[0].shape == (4, 3)
    assert spatial_knn(np.arange(8.0).reshape(4, 2), 6).shape == (4, 3)
    assert feature_knn(np.zeros((1, 2)), 3)[0].shape == (1, 0)


def test_duplicate_and_empty_cells_are_ordered_by_index():
    """Bad input: ties among equal cells; a cell without counts is as far from all."""
    rows = sp.csr_matrix(np.array([[1, 2], [1, 2], [0, 0], [1, 2], [2, 1]], dtype=np.float32))
    found = cosine_knn(rows, 2)
    np.testing.assert_array_equal(found, [[1, 3], [0, 3], [0, 1], [0, 1], [0, 1]])
    assert cosine_knn(rows[:1], 3).shape == (1, 0)


def test_expression_neighbours_are_exact_cosine_lists():
    """The lists are those of scikit-learn; their union has no loops."""
    features = filtered_expression(tissue()[0].counts, 100, 3000)
    neighbours, rule = expression_knn(features, 14)
    assert rule == "exact"
    graph = symmetrized(adjacency(neighbours))
    lists = kneighbors_graph(features, 14, metric="cosine")
    np.testing.assert_array_equal(graph.toarray(), lists.maximum(lists.T).toarray())
    assert graph.diagonal().sum() == 0
    np.testing.assert_allclose(row_normalized(with_loops(graph)).sum(axis=1), 1, rtol=1e-6)


def test_many_cells_find_expression_neighbours_in_components(monkeypatch):
    """The approximation says so, and keeps most neighbours of planted groups."""
    monkeypatch.setattr(neighbors, "N_COMPONENTS", 5)
    data, labels = tissue(14, signal=6.0)
    features = filtered_expression(data.counts, 100, 3000)
    found, rule = expression_knn(features, 14, exact_up_to=100)
    assert rule == "5 components"
    assert found.shape == (196, 14)
    same = [
        (labels[lists] == labels[:, None]).mean() for lists in (found, cosine_knn(features, 14))
    ]
    assert same[0] > same[1] - 0.05
