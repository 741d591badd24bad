"""Adjacency matrices of neighbour graphs, and their weights."""

from __future__ import annotations

import numpy as np
import scipy.sparse as sp

from methods.shared.graphs.neighbors import feature_knn


def adjacency(neighbours: np.ndarray, itself: bool = False) -> sp.csr_matrix:
    """
    Build the binary directed graph, row i having ones at the neighbours of i.

    Parameters
    ----------
    neighbours
        cells x k indices without the cell itself.
    itself
        Whether to add the unit diagonal.
    """
    n = len(neighbours)
    if itself:
        neighbours = np.column_stack([np.arange(n), neighbours])
    k = neighbours.shape[1]
    data = np.ones(n * k, dtype=np.float32)
    graph = sp.csr_matrix((data, neighbours.ravel(), k * np.arange(n + 1)), shape=(n, n))
    graph.sort_indices()
    return graph


def symmetrized(graph: sp.csr_matrix) -> sp.csr_matrix:
    """Keep an edge wherever either direction has one."""
    return graph.maximum(graph.T).tocsr()


def normalized_adjacency(graph: sp.csr_matrix) -> sp.csr_matrix:
    """Divide every edge by the root of both its ends' degrees; degree 0 stays 0."""
    degree = np.asarray(graph.sum(axis=1)).ravel()
    root = np.zeros_like(degree)
    np.divide(1.0, np.sqrt(degree), out=root, where=degree > 0)
    scale = sp.diags_array(root)
    return sp.csr_matrix(scale @ graph @ scale).astype(np.float32)


def row_normalized(graph: sp.csr_matrix) -> sp.csr_matrix:
    """Divide every row by its sum, so that a product averages over neighbours."""
    total = np.asarray(graph.sum(axis=1)).ravel()
    scale = sp.diags_array(1.0 / np.where(total > 0, total, 1.0))
    return sp.csr_matrix(scale @ graph).astype(np.float32)


def with_loops(graph: sp.csr_matrix, times: int = 1) -> sp.csr_matrix:
    """Add `times` to the diagonal: A + I."""
    own = times * sp.eye_array(graph.shape[0], dtype=np.float32, format="csr")
    return sp.csr_matrix(graph + own)


def gathering(lists: sp.csr_matrix) -> sp.csr_matrix:
    """
    Normalise a directed graph as messages along its arrows do: D^-1/2 B^T D^-1/2.

    Parameters
    ----------
    lists
        B, row i having ones at the neighbours of i and at i itself. D is the diagonal of its
        column sums: every node gathers from those that list it.
    """
    scale = sp.diags_array(1 / np.sqrt(np.asarray(lists.sum(axis=0)).ravel()))
    return sp.csr_matrix(scale @ lists.T @ scale).astype(np.float32)


def fuzzy_graph(features: np.ndarray, n_neighbors: int = 15) -> sp.csr_matrix:
    """
    Weigh the k-nearest-neighbour graph as UMAP does (scanpy's connectivities).

    Parameters
    ----------
    features
        cells x d.
    n_neighbors
        Neighbours, the cell itself counted.

    Returns
    -------
    Symmetric weights in (0, 1], cells x cells.

    Notes
    -----
    McInnes et al., arXiv 1802.03426, section 3: per cell a scale is found so that the weights
    sum to log2 k; both directions are joined by a + b - ab.
    """
    index, distance = feature_knn(features, n_neighbors - 1)
    positive = np.where(distance > 0, distance, np.inf)
    nearest = positive.min(axis=1, keepdims=True, initial=np.inf)
    gap = np.maximum(distance - np.where(np.isfinite(nearest), nearest, 0.0), 0.0)
    scale = _scales(gap, np.log2(n_neighbors))
    own = distance.sum(axis=1) / n_neighbors
    floor = 1e-3 * np.where(own > 0, own, distance.sum() / max(distance.size, 1))
    scale = np.maximum(np.maximum(scale, floor), np.finfo(float).tiny)
    weight = np.exp(-gap / scale[:, None])
    n, k = index.shape
    graph = sp.csr_matrix((weight.ravel(), index.ravel(), k * np.arange(n + 1)), (n, n))
    mirrored = graph.T.tocsr()
    return sp.csr_matrix(graph + mirrored - graph.multiply(mirrored))


def _scales(gap: np.ndarray, target: float) -> np.ndarray:
    """Bisect, for every row at once, the scale at which exp(-gap / scale) sums to `target`."""
    low, high = np.zeros(len(gap)), np.full(len(gap), np.inf)
    scale = np.ones(len(gap))
    for _ in range(64):
        total = np.exp(-gap / np.maximum(scale, 1e-300)[:, None]).sum(axis=1)
        over = total > target
        high = np.where(over, scale, high)
        low = np.where(over, low, scale)
        with np.errstate(invalid="ignore"):
            middle = np.where(np.isinf(high), scale * 2, (low + high) / 2)
        scale = np.where(np.abs(total - target) < 1e-5, scale, middle)
    return scale
