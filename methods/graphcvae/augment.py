"""Counts to which those of similar neighbouring spots are added, before anything is scaled."""

from __future__ import annotations

import numpy as np
import scipy.sparse as sp

from methods.shared.expression.pca import principal_components
from methods.shared.training.seeding import seed_integer

GENES_WITHOUT_PCA = 500
GENES_OF_EXACT_PCA = 2000
N_COMPONENTS = 100
ROWS = 256


def profiles(counts: sp.csr_matrix, rng: np.random.Generator) -> np.ndarray | sp.csr_matrix:
    """
    Describe every spot by 100 principal components of the raw counts.

    Parameters
    ----------
    counts
        spots x genes.
    rng
        Draws the Lanczos start vector, where there are more than 2,000 genes.

    Returns
    -------
    Scores, spots x 100; the counts themselves where there are 500 genes or fewer.
    """
    n, genes = counts.shape
    if genes <= GENES_WITHOUT_PCA:
        return counts
    if genes <= GENES_OF_EXACT_PCA or n <= N_COMPONENTS:
        varying = counts[:, np.flatnonzero(counts.getnnz(axis=0))]
        return principal_components(sp.csr_matrix(varying), N_COMPONENTS)
    from sklearn.decomposition import PCA

    pca = PCA(N_COMPONENTS, svd_solver="arpack", random_state=seed_integer(rng))
    return np.asarray(pca.fit_transform(counts.astype(np.float64)))


def _dense(rows: np.ndarray | sp.csr_matrix) -> np.ndarray:
    return np.asarray(rows if isinstance(rows, np.ndarray) else rows.toarray(), dtype=np.float64)


def similarity(
    features: np.ndarray | sp.csr_matrix, graph: sp.csr_matrix, centred: bool
) -> np.ndarray:
    """
    Compare the two ends of every edge by the cosine of the angle between their rows.

    Parameters
    ----------
    features
        spots x d.
    graph
        Edges.
    centred
        Take the mean off each row first: Pearson correlation.

    Returns
    -------
    One value per edge, in the order of ``graph.indices``; 0 for rows without length.
    """
    found = np.empty(graph.nnz)
    for start in range(0, graph.shape[0], ROWS):
        at = graph.indptr[[start, min(start + ROWS, graph.shape[0])]]
        ends = graph.indices[at[0] : at[1]]
        degree = np.diff(graph.indptr[start : start + ROWS + 1])
        sources = np.repeat(np.arange(start, start + len(degree)), degree)
        seen, row_of = np.unique(np.concatenate([sources, ends]), return_inverse=True)
        rows = _dense(features[seen])
        if centred:
            rows = rows - rows.mean(axis=1, keepdims=True)
        length = np.linalg.norm(rows, axis=1, keepdims=True)
        rows = np.divide(rows, length, out=np.zeros_like(rows), where=length > 1e-12)
        left, right = np.split(row_of, 2)
        found[at[0] : at[1]] = np.einsum("ij,ij->i", rows[left], rows[right])
    return found


def best_neighbours(
    candidates: sp.csr_matrix, weights: np.ndarray, count: int, drop_best: bool
) -> sp.csr_matrix:
    """
    Keep the most similar candidates of every spot, weighted to sum to 1.

    Parameters
    ----------
    candidates
        Edges to choose from.
    weights
        Similarity of each; one that is not positive is never chosen, as any other spot has 0.
    count
        Neighbours to keep, fewer where fewer are similar.
    drop_best
        Leave out the most similar one, as the public code does.

    Returns
    -------
    Averaging matrix, spots x spots; a row is empty where nothing was chosen. Of equal weights
    the higher index counts as more similar, as in a stable ascending sort.
    """
    n = candidates.shape[0]
    row = np.repeat(np.arange(n), np.diff(candidates.indptr))
    order = np.lexsort((-candidates.indices, -weights, row))
    rank = np.arange(len(row)) - candidates.indptr[row]  # rows stay where they were
    column, weight = candidates.indices[order], weights[order]
    first = int(drop_best)
    kept = (rank >= first) & (rank < first + count) & (weight > 0)
    chosen = (weight[kept], (row[kept], column[kept]))
    graph = sp.csr_matrix(chosen, shape=(n, n))
    total = np.asarray(graph.sum(axis=1)).ravel()
    graph.data /= np.repeat(total, np.diff(graph.indptr))
    return graph


def augmented(
    counts: sp.csr_matrix, averaging: sp.csr_matrix, own: float, weight: float
) -> sp.csr_matrix:
    """Return ``own * counts + weight * averaging @ counts``, sorted CSR float32."""
    if not weight:
        return sp.csr_matrix(counts, dtype=np.float32)
    around = averaging.astype(np.float32) @ counts
    added = sp.csr_matrix(np.float32(own) * counts + np.float32(weight) * around)
    added.sort_indices()
    return added
