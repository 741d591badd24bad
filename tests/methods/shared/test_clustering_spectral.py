"""Normalised cuts, sparse and dense, of connected and disconnected graphs."""

from __future__ import annotations

import numpy as np
import pytest
import scipy.sparse as sp
from sklearn.cluster import spectral_clustering
from sklearn.metrics import adjusted_rand_score

from methods.shared.clustering.spectral import Spectrum, spectral_partition
from methods.shared.graphs.neighbors import feature_knn
from methods.shared.graphs.weights import adjacency
from tests.methods.toys import blobs, rng


def affinity(points: np.ndarray, k: int = 10) -> sp.csr_matrix:
    graph = adjacency(feature_knn(points, k)[0])
    return (graph + graph.T).tocsr() / 2


def test_spectral_partition_finds_blobs():
    points, truth = blobs(400)
    assert adjusted_rand_score(truth, spectral_partition(affinity(points), 4, rng())) == 1


def test_spectral_partition_is_that_of_sklearn():
    """Near each other, groups are cut at the same cells, up to a few on the border."""
    points, _ = blobs(600)
    graph = affinity(points + rng().normal(size=points.shape))
    theirs = spectral_clustering(graph, n_clusters=4, assign_labels="discretize", random_state=0)
    assert adjusted_rand_score(theirs, spectral_partition(graph, 4, rng())) > 0.95


def test_sparse_and_dense_eigenvectors_span_the_same_space(monkeypatch):
    graph = affinity(rng().normal(size=(300, 2)))
    sparse = Spectrum(graph, 5, rng())
    monkeypatch.setattr("methods.shared.clustering.spectral.DENSE_BELOW", 1000)
    dense = Spectrum(graph, 5, rng())
    np.testing.assert_allclose(sparse.values, dense.values, atol=1e-7)
    np.testing.assert_allclose(np.abs(sparse.vectors), np.abs(dense.vectors), atol=1e-4)


@pytest.mark.parametrize("parts", [3, 40])
def test_spectral_partition_of_a_disconnected_graph(parts):
    """Degenerate eigenvalues still give a partition."""
    block = np.ones((12, 12)) - np.eye(12)
    graph = sp.block_diag([block] * parts, format="csr")
    labels = spectral_partition(graph, 3, rng())
    assert len(labels) == 12 * parts
    assert labels.max() < 3
    if parts == 3:
        assert adjusted_rand_score(labels, np.repeat(np.arange(3), 12)) == 1


@pytest.mark.parametrize("size", [40, 260])
def test_every_component_has_its_own_copy_of_the_eigenvalue_one(size):
    """Solved densely and by Lanczos, cells in any order; its vector is constant on a component."""
    parts = [affinity(rng().normal(size=(size + 10 * i, 2))) for i in range(4)]
    part = np.repeat(range(4), [graph.shape[0] for graph in parts])
    order = rng().permutation(len(part))
    graph = sp.csr_matrix(sp.block_diag(parts, format="csr")[order][:, order])
    spectrum = Spectrum(graph, 6, rng())
    np.testing.assert_allclose(spectrum.values[:4], 1, atol=1e-6)
    assert spectrum.values[4] < 1 - 1e-4
    own, span = np.eye(4)[part[order]], spectrum.vectors[:, :4]
    np.testing.assert_allclose(own @ np.linalg.lstsq(own, span)[0], span, atol=1e-4)
    assert np.linalg.matrix_rank(span) == 4
