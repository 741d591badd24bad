"""Normalised-cut spectral clustering of a sparse graph, with discretisation.

scikit-learn's `spectral_clustering(assign_labels="discretize")` finds the same partitions (a test
compares them), but it factorises the Laplacian of the graph: 2 s on 3,000 cells with 15 neighbours
and more than 5 minutes on 10,000, where Lanczos on the affinity itself takes 0.2 s.
"""

from __future__ import annotations

import numpy as np
import scipy.sparse as sp
from scipy.sparse.csgraph import connected_components

from methods.shared.expression.pca import with_positive_loadings
from methods.shared.graphs.weights import normalized_adjacency

DENSE_BELOW = 200


class Spectrum:
    """
    Leading eigenvectors of the normalised affinity.

    Parameters
    ----------
    affinity
        Symmetric weights, cells x cells; the diagonal is ignored.
    count
        Eigenvectors wanted; fewer where there are fewer cells.
    rng
        Draws the Lanczos start vector.

    Attributes
    ----------
    values
        Eigenvalues, largest first; 1 as often as the graph has components.
    vectors
        cells x count, divided by the root of the degree (random-walk eigenvectors).
    """

    def __init__(self, affinity: sp.csr_matrix, count: int, rng: np.random.Generator) -> None:
        loops = sp.diags_array(affinity.diagonal())
        graph = sp.csr_matrix(affinity - loops).astype(np.float64)
        degree = np.asarray(graph.sum(axis=1)).ravel()
        n = graph.shape[0]
        values, vectors = _leading(
            normalized_adjacency(graph).astype(np.float64), min(count, n), rng
        )
        root = np.sqrt(np.where(degree > 0, degree, 1.0))
        self.values, self.vectors = values, with_positive_loadings(vectors / root[:, None])


def _leading(
    matrix: sp.csr_matrix, count: int, rng: np.random.Generator
) -> tuple[np.ndarray, np.ndarray]:
    """
    Solve for the largest eigenvalues, component by component.

    Every component has the eigenvalue 1, and Lanczos finds one copy of an eigenvalue for one
    start vector: on the whole graph it would miss the others.
    """
    n_parts, part = connected_components(matrix, directed=False)
    if n_parts == 1:
        return _eigenpairs(matrix, count, rng)
    order = np.argsort(part, kind="stable")
    found = []
    for cells in np.split(order, np.cumsum(np.bincount(part))[:-1]):
        inside = sp.csr_matrix(matrix[cells][:, cells])
        found.append(_eigenpairs(inside, min(count, len(cells)), rng))
    values = np.concatenate([own for own, _ in found])
    kept = np.argsort(-values, kind="stable")[:count]
    vectors = np.empty((len(part), len(kept)))
    vectors[order] = sp.block_diag([own for _, own in found], format="csc")[:, kept].toarray()
    return values[kept], vectors


def _eigenpairs(
    matrix: sp.csr_matrix, count: int, rng: np.random.Generator
) -> tuple[np.ndarray, np.ndarray]:
    """Solve for the largest eigenvalues of a connected graph; densely on a few hundred cells."""
    from scipy.sparse.linalg import ArpackNoConvergence, eigsh

    n = matrix.shape[0]
    if n <= max(DENSE_BELOW, 2 * count):
        values, vectors = np.linalg.eigh(matrix.toarray())
    else:
        start, basis = rng.standard_normal(n), min(max(4 * count, 40), n)
        for tolerance in (1e-8, 1e-3):
            try:
                values, vectors = eigsh(
                    matrix, count, which="LA", v0=start, ncv=basis, tol=tolerance, maxiter=300
                )
                break
            except ArpackNoConvergence as failure:
                values, vectors = failure.eigenvalues, failure.eigenvectors
        if len(values) < count:
            raise ValueError(
                f"spectral clustering: {len(values)} of {count} eigenvectors converged on {n} "
                "cells; the neighbour graph has no cluster structure at this number of clusters"
            )
    order = np.argsort(-values, kind="stable")[:count]
    return values[order], vectors[:, order]


def discretise(vectors: np.ndarray, rng: np.random.Generator) -> np.ndarray:
    """
    Rotate eigenvectors onto the nearest partition.

    Parameters
    ----------
    vectors
        cells x clusters.
    rng
        Draws the first cell of the starting rotation.

    Returns
    -------
    Labels in 0..clusters-1; some may be empty.

    Notes
    -----
    Yu and Shi, "Multiclass spectral clustering", ICCV 2003.
    """
    n, k = vectors.shape
    scale = np.sqrt(n) / np.maximum(np.linalg.norm(vectors, axis=0), 1e-300)
    vectors = vectors * scale
    length = np.linalg.norm(vectors, axis=1, keepdims=True)
    vectors = vectors / np.where(length > 0, length, 1.0)
    rotation = np.zeros((k, k))
    rotation[:, 0] = vectors[rng.integers(n)]
    covered = np.zeros(n)
    for column in range(1, k):
        covered += np.abs(vectors @ rotation[:, column - 1])
        rotation[:, column] = vectors[covered.argmin()]
    before = 0.0
    for _ in range(30):
        labels = (vectors @ rotation).argmax(axis=1)
        members = sp.csr_matrix((np.ones(n), (np.arange(n), labels)), shape=(n, k))
        left, singular, right = np.linalg.svd(members.T @ vectors)
        objective = 2.0 * (n - singular.sum())
        if abs(objective - before) < np.finfo(float).eps:
            break
        before = objective
        rotation = right.T @ left.T
    return labels.astype(np.int64)


def spectral_partition(
    affinity: sp.csr_matrix, n_clusters: int, rng: np.random.Generator
) -> np.ndarray:
    """
    Cut a graph into `n_clusters`.

    Parameters
    ----------
    affinity
        Symmetric weights, cells x cells.
    n_clusters
        Clusters.
    rng
        Source of the two starts.

    Returns
    -------
    Labels without gaps: empty classes are dropped.
    """
    labels = discretise(Spectrum(affinity, n_clusters, rng).vectors, rng)
    return np.unique(labels, return_inverse=True)[1]
