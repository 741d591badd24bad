"""scGNN's cell graph: neighbours, and which of them are dropped."""

from __future__ import annotations

import numpy as np
import pytest
import scipy.sparse as sp

from methods.scgnn.cell_graph import cell_graph, kept_by_distance, last_listed
from methods.shared.graphs.neighbors import feature_knn
from methods.shared.training.seeding import random_stream

LINE = np.append(np.arange(12.0), 30.0)[:, None]


def latent(n: int = 60, d: int = 6, seed: int = 0) -> np.ndarray:
    return np.random.default_rng(seed).normal(size=(n, d)).astype(np.float32)


def graph(n: int = 60, seed: int = 0, **changes) -> sp.csr_matrix:
    settings = {"n_neighbors": 5, "prune": "statistic", "everywhere": True, **changes}
    return cell_graph(latent(n, seed=seed), rng=random_stream(0, "forest"), **settings).network


def test_far_neighbours_are_dropped_exactly_by_the_rule():
    """An edge goes where its distance exceeds mean + s.d. of the cell's own, and only there."""
    _, distance = feature_knn(LINE, 4)
    kept = kept_by_distance(distance)
    for cell in range(len(LINE)):
        limit = distance[cell].mean() + distance[cell].std()
        np.testing.assert_array_equal(kept[cell], distance[cell] <= limit)
    assert not kept[12].all()
    nearest = np.array([[1.0, 1.1, 1.2, 9.0]])
    np.testing.assert_array_equal(kept_by_distance(nearest), [[True, True, True, False]])


def test_no_cell_neighbours_itself_even_among_duplicates():
    """The graph is symmetric with a diagonal of zeros."""
    features = latent()
    features[10:40] = features[10]
    built = cell_graph(features, 5, "statistic", True, random_stream(0, "f")).network
    assert not built.diagonal().any()
    assert abs(built - built.T).nnz == 0
    assert set(np.unique(built.data)) == {1.0}


@pytest.mark.parametrize("prune", ["statistic", "forest"])
def test_dropped_edges_reach_the_networks_only_as_released(prune):
    """As described they are in neither graph; as released only the communities lack them."""
    features = latent()
    settings = (5, prune)
    described = cell_graph(features, *settings, True, random_stream(0, "f"))
    released = cell_graph(features, *settings, False, random_stream(0, "f"))
    unpruned = cell_graph(features, 5, "none", True, random_stream(0, "f")).network
    dropped = unpruned - described.network
    assert dropped.nnz > 0
    assert (dropped.data == 1).all()
    assert described.network.multiply(dropped).nnz == 0
    assert abs(released.network - unpruned).nnz == 0
    assert released.communities.nnz < unpruned.nnz


def test_the_larger_index_decides_mutual_edges_as_released():
    """The direction listed last overwrites the other."""
    neighbours = np.array([[1, 2], [0, 2], [0, 1], [0, 1]])
    kept = np.array([[False, True], [True, True], [False, False], [True, False]])
    expected = np.zeros((4, 4))
    expected[1, 0] = expected[3, 0] = 1  # 1-0 kept by 1; 2-0 and 2-1 dropped by 2; 3-1 by 3
    np.testing.assert_array_equal(last_listed(neighbours, kept).toarray(), expected + expected.T)
