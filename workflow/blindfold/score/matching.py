"""Which cluster stands for which class: the assignment that puts most cells right."""

from __future__ import annotations

import numpy as np


def contingency(truth: np.ndarray, clusters: np.ndarray) -> np.ndarray:
    """Count cells by class and cluster.

    Parameters
    ----------
    truth, clusters
        N codes from 0.

    Returns
    -------
    numpy.ndarray
        classes x clusters, int64; codes that do not occur are empty rows or columns.
    """
    if not len(truth):
        return np.zeros((0, 0), dtype=np.int64)
    counts = np.zeros((truth.max() + 1, clusters.max() + 1), dtype=np.int64)
    np.add.at(counts, (truth, clusters), 1)
    return counts


def match(truth: np.ndarray, clusters: np.ndarray) -> dict[int, int]:
    """Match clusters to classes one to one by the Hungarian method.

    With more clusters than classes, or fewer, the table counts as padded with zeros: what
    is left over stays unmatched. A pair that shares no cell is no match.

    Parameters
    ----------
    truth, clusters
        N codes from 0.

    Returns
    -------
    dict of int to int
        The class of each matched cluster.

    References
    ----------
    Kuhn (1955), Naval Research Logistics Quarterly 2, 83-97.
    """
    from scipy.optimize import linear_sum_assignment

    counts = contingency(truth, clusters)
    rows, columns = linear_sum_assignment(counts, maximize=True)
    pairs = zip(rows.tolist(), columns.tolist(), strict=True)
    return {cluster: label for label, cluster in pairs if counts[label, cluster]}


def relabel(clusters: np.ndarray, matching: dict[int, int]) -> np.ndarray:
    """Return each cell's matched class, -1 in clusters without one."""
    table = np.full(int(clusters.max(initial=-1)) + 1, -1, dtype=np.int64)
    for cluster, label in matching.items():
        table[cluster] = label
    return table[clusters]
