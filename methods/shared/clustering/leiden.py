"""Leiden communities of a graph, and the search for a number of communities."""

from __future__ import annotations

import random
from dataclasses import dataclass

import numpy as np
import scipy.sparse as sp

BUDGET = 30


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
