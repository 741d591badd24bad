"""The cell graph: nearest neighbours without outlying ones."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
import scipy.sparse as sp

from methods.shared.graphs.neighbors import feature_knn
from methods.shared.graphs.weights import symmetrized

from .isolation_forest import isolated


class CellGraph(NamedTuple):
    """Two symmetric 0/1 graphs without diagonal."""

    network: sp.csr_matrix  # for the graph and the imputation autoencoder
    communities: sp.csr_matrix  # for Louvain and the test of change


def kept_by_distance(distance: np.ndarray) -> np.ndarray:
    """Keep neighbours no farther than mean + s.d. (n) of the cell's own distances."""
    if not distance.shape[1]:
        return np.ones(distance.shape, dtype=bool)
    limit = distance.mean(axis=1) + distance.std(axis=1)
    return distance <= limit[:, None] * (1 + 1e-9)


def undirected(neighbours: np.ndarray, kept: np.ndarray) -> sp.csr_matrix:
    """Join the kept directed edges, cells x k, into a symmetric 0/1 graph."""
    n, k = neighbours.shape
    source = np.repeat(np.arange(n), k)[kept.ravel()]
    target = neighbours.ravel()[kept.ravel()]
    ones = np.ones(len(source), dtype=np.float32)
    return symmetrized(sp.csr_matrix((ones, (source, target)), shape=(n, n)))


def last_listed(neighbours: np.ndarray, kept: np.ndarray) -> sp.csr_matrix:
    """
    Join directed edges as the public code does.

    Where both directions exist, the one from the larger index decides whether the edge is kept.
    """
    n, k = neighbours.shape
    source, target = np.repeat(np.arange(n), k), neighbours.ravel()
    listed = sp.csr_matrix((kept.ravel() + 1.0, (source, target)), shape=(n, n))
    down, up = sp.tril(listed).tocsr(), sp.triu(listed).T.tocsr()
    edges = sp.csr_matrix(down + (up - up.multiply(down > 0)))
    edges = sp.csr_matrix((edges == 2).astype(np.float32))
    return sp.csr_matrix(edges + edges.T)


def cell_graph(
    latent: np.ndarray,
    n_neighbors: int,
    prune: str,
    everywhere: bool,
    rng: np.random.Generator,
) -> CellGraph:
    """
    Connect every cell with its nearest ones and drop outlying neighbours.

    Parameters
    ----------
    latent
        cells x d.
    n_neighbors
        Neighbours before pruning.
    prune
        ``statistic``, ``forest`` or ``none``.
    everywhere
        False leaves the dropped edges in the graph of the networks, as the public code does.
    rng
        Source of the forest's trees.
    """
    neighbours, distance = feature_knn(latent, n_neighbors)
    kept = np.ones(distance.shape, dtype=bool)
    if prune == "statistic":
        kept = kept_by_distance(distance)
    elif prune == "forest":
        kept = ~isolated(latent, neighbours, rng)
    if everywhere:
        graph = undirected(neighbours, kept)
        return CellGraph(graph, graph)
    full = undirected(neighbours, np.ones_like(kept))
    return CellGraph(full, last_listed(neighbours, kept))
