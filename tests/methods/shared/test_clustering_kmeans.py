"""K-means: repeats with its generator, and says what it cannot do."""

from __future__ import annotations

import numpy as np
import pytest
from sklearn.metrics import adjusted_rand_score

from methods.shared.clustering.kmeans import kmeans
from tests.methods.toys import blobs, rng


def test_kmeans_finds_blobs_and_repeats():
    points, truth = blobs()
    labels = kmeans(points, 4, rng())
    assert adjusted_rand_score(truth, labels) == 1
    np.testing.assert_array_equal(labels, kmeans(points, 4, rng()))


@pytest.mark.parametrize("k", [0, 11])
def test_kmeans_refuses_more_clusters_than_cells(k):
    with pytest.raises(ValueError, match=r"n_clusters.*from 1 to 10"):
        kmeans(np.zeros((10, 2)), k, rng())


def test_kmeans_on_identical_cells_returns_fewer_clusters():
    assert len(kmeans(np.zeros((10, 2)), 3, rng())) == 10
