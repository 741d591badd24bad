"""scGNN's number of clusters, and clusters too small to stand."""

from __future__ import annotations

import numpy as np
import pytest
import scipy.sparse as sp

from methods.scgnn.louvain_kmeans import (
    clusters_from_communities,
    louvain_communities,
    merge_small,
    partition,
)
from methods.shared.training.seeding import random_stream
from tests.methods.test_scgnn_cell_graph import latent


@pytest.mark.parametrize(
    ("communities", "n_cells", "clusters"),
    [(6, 1999, 4), (3, 1999, 2), (5, 1999, 4), (9, 2000, 4), (5, 2000, 2), (6, 2000, 3),
     (1, 100, 2), (40, 1000, 32), (1, 1, 1)],
)  # fmt: skip
def test_number_of_clusters_follows_that_of_communities(communities, n_cells, clusters):
    """It is 0.8 of Louvain's communities below 2,000 cells, else half, at least 2."""
    assert clusters_from_communities(communities, n_cells) == clusters


def test_louvain_counts_communities():
    clique = sp.csr_matrix(np.ones((8, 8), dtype=np.float32) - np.eye(8, dtype=np.float32))
    assert louvain_communities(sp.csr_matrix(sp.block_diag([clique] * 5)), 0) == 5
    labels = partition(sp.csr_matrix(sp.block_diag([clique] * 5)), np.repeat(np.eye(5), 8, axis=0),
                       None, random_stream(0, "k"), False)  # fmt: skip
    assert len(np.unique(labels)) == 4
    assert len(np.unique(partition(clique, latent(8), 3, random_stream(0, "k"), False))) == 3


def test_small_clusters_are_merged():
    """Into the nearest centroid, or all into one bucket."""
    labels = np.repeat([0, 1, 2, 3], [10, 10, 4, 5])
    features = np.repeat([[0.0], [5.0], [4.0], [0.5]], [10, 10, 4, 5], axis=0)
    np.testing.assert_array_equal(
        merge_small(labels, features, False), np.repeat([0, 1, 1, 2], [10, 10, 4, 5])
    )
    np.testing.assert_array_equal(
        merge_small(labels, features, True), np.repeat([0, 1, 2, 2], [10, 10, 4, 5])
    )
    assert len(np.unique(merge_small(np.arange(40) % 10, np.zeros((40, 1)), False))) == 10
