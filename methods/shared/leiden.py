"""Leiden communities of a fuzzy neighbour graph, and the search for a number of communities."""

from __future__ import annotations

import random
from dataclasses import dataclass

import numpy as np
import scipy.sparse as sp

from methods.shared.graph import feature_knn

BUDGET = 30


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


@dataclass(frozen=True)
class Communities:
    """
    Outcome of a search over resolutions.

    Parameters
    ----------
    labels
        Community of every cell.
    resolution
        Resolution of that partition.
    status
        ``exact`` or ``closest``: whether the number asked for was met within the budget.
    evaluations
        Partitions computed.
    """

    labels: np.ndarray
    resolution: float
    status: str
    evaluations: int


class Leiden:
    """
    Leiden on one graph; the same resolution always gives the same partition.

    Parameters
    ----------
    graph
        Symmetric weights, cells x cells.
    seed
        32-bit integer.
    """

    def __init__(self, graph: sp.csr_matrix, seed: int) -> None:
        import igraph

        upper = sp.triu(graph, k=1).tocoo()
        edges = np.column_stack([upper.row, upper.col])
        self._graph = igraph.Graph(n=graph.shape[0], edges=edges)
        self._weights = upper.data.astype(float).tolist()
        self._seed = seed

    def partition(self, resolution: float) -> np.ndarray:
        """Maximise modularity at one resolution; communities are numbered by size."""
        import igraph

        igraph.set_random_number_generator(random.Random(self._seed))
        found = self._graph.community_leiden(
            objective_function="modularity",
            weights=self._weights,
            resolution=resolution,
            n_iterations=-1,
        )
        label = np.asarray(found.membership, dtype=np.int64)
        _, first, count = np.unique(label, return_index=True, return_counts=True)
        return np.lexsort((first, -count)).argsort()[label]

    def search(self, n_clusters: int, budget: int = BUDGET) -> Communities:
        """
        Look for the resolution with `n_clusters` communities.

        The bracket is widened from 1 by doubling, then halved on a logarithmic scale; the number
        of communities need not grow steadily with the resolution, so the search may end at the
        budget with the closest number seen, and says so.
        """
        low, high, resolution = 0.0, np.inf, 1.0
        best: Communities | None = None
        for done in range(1, budget + 1):
            labels = self.partition(resolution)
            found = int(labels.max()) + 1
            distance = abs(found - n_clusters)
            if best is None or distance < abs(int(best.labels.max()) + 1 - n_clusters):
                status = "closest" if distance else "exact"
                best = Communities(labels, resolution, status, done)
            if found == n_clusters:
                break
            low, high = (resolution, high) if found < n_clusters else (low, resolution)
            resolution = _between(low, high)
            if not 1e-4 < resolution < 1e4 or high - low < 1e-6 * high < np.inf:
                break
        assert best is not None
        return best


def _between(low: float, high: float) -> float:
    """Return the next resolution to try inside an open or closed bracket."""
    if low == 0.0:
        return high / 2
    return low * 2 if np.isinf(high) else float(np.sqrt(low * high))
