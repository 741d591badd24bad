"""Which cluster stands for which class: the assignment that puts most cells right."""

from __future__ import annotations

from typing import Any

import numpy as np


def match_clusters(truth: np.ndarray, clusters: np.ndarray, cells: np.ndarray) -> dict[Any, Any]:
    """Match clusters to classes one to one so that most cells are right (Hungarian method).

    With more clusters than classes, or fewer, what is left over stays unmatched; a pair that
    shares no cell is no match.

    Of several assignments that put equally many cells right, the one of the highest macro F1 is
    taken. What is still equal then is decided by the Hungarian method, to which classes are given
    in the order of their names and clusters in the order of their contents: larger ones first,
    then those that share more cells with the first class, with the second, and so on, then the
    one with the first cell by name. So neither the names of clusters nor the order of cells
    decides anything.

    Parameters
    ----------
    truth, clusters
        Class and cluster of N labelled cells, as numbers or names.
    cells
        N cell names, each once.

    Returns
    -------
    dict
        The class of each matched cluster.

    References
    ----------
    Kuhn (1955), Naval Research Logistics Quarterly 2, 83-97.
    """
    from scipy.optimize import linear_sum_assignment
    from sklearn.metrics.cluster import contingency_matrix

    if not len(truth):
        return {}
    classes, names = np.unique(truth), np.unique(clusters)
    counts = contingency_matrix(truth, clusters)
    first_cell = np.unique(clusters[np.argsort(cells)], return_index=True)[1]
    order = np.lexsort([first_cell, *-counts[::-1], -counts.sum(axis=0)])
    counts = counts[:, order]
    f1 = 2 * counts / (counts.sum(axis=1, keepdims=True) + counts.sum(axis=0))
    # the sum of F1 stays below 1, which is one cell
    weights = counts + f1 / (min(counts.shape) + 1)
    pairs = zip(*linear_sum_assignment(weights, maximize=True), strict=True)
    classes, names = classes.tolist(), names[order].tolist()
    return {names[j]: classes[i] for i, j in pairs if counts[i, j]}


def matched_classes(clusters: np.ndarray, matching: dict[Any, Any], unmatched: Any) -> np.ndarray:
    """Return the class that each cell's cluster is matched to, ``unmatched`` where there is none.

    Parameters
    ----------
    clusters
        Cluster of each of N cells.
    matching
        As `match_clusters` returns it.
    """
    names, codes = np.unique(clusters, return_inverse=True)
    return np.array([matching.get(name, unmatched) for name in names.tolist()])[codes]
