"""A Potts field over spots: its energy, and labels that lower it until none can."""

from __future__ import annotations

import numpy as np
import scipy.sparse as sp

NO_GAIN = 1e-9


def energy(cost: np.ndarray, graph: sp.csr_matrix, beta: float, labels: np.ndarray) -> float:
    """
    Add the costs of the labels to beta for every edge between unequal ones.

    Parameters
    ----------
    cost
        What each label costs each spot, spots x labels.
    graph
        Symmetric 0/1, spots x spots, no loops.
    beta
        Price of an edge between unequal labels.
    labels
        One per spot.
    """
    edges = sp.triu(graph, k=1).tocoo()
    unequal = np.count_nonzero(labels[edges.row] != labels[edges.col])
    return float(cost[np.arange(len(labels)), labels].sum() + beta * unequal)


def settle(cost: np.ndarray, graph: sp.csr_matrix, beta: float, labels: np.ndarray) -> np.ndarray:
    """
    Relabel spots until no change of one spot lowers the energy.

    All spots whose gain is above that of every neighbour change at once: no two of them are
    joined, so the energy falls by the sum of their gains, and the order of the spots plays no
    part (exactly equal gains of neighbours go to the lower index).

    Parameters
    ----------
    cost, graph, beta
        See `energy`.
    labels
        The start, one per spot; not changed.

    Notes
    -----
    Iterated conditional modes, Besag, Journal of the Royal Statistical Society B 48, 259 (1986),
    on independent sets in place of a fixed order of spots.
    """
    labels, spots = labels.copy(), np.arange(len(labels))
    edges = graph.tocoo()
    while True:
        local = cost - beta * (graph @ np.eye(cost.shape[1])[labels])
        best = local.argmin(axis=1)
        gain = local[spots, labels] - local[spots, best]
        gain[gain <= NO_GAIN] = 0.0
        if not gain.any():
            return labels
        own, other = gain[edges.row], gain[edges.col]
        beaten = (other > own) | ((other == own) & (edges.col < edges.row))
        first = np.bincount(edges.row[beaten], minlength=len(labels)) == 0
        moved = first & (gain > 0)
        labels[moved] = best[moved]
