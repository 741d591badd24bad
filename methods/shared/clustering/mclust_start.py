"""Model-based agglomerative clustering with unconstrained covariances ("VVV").

Fraley, SIAM J. Sci. Comput. 20, 270 (1998); the criterion as in mclust's Fortran code.
"""

from __future__ import annotations

import numpy as np


def half_whiten(features: np.ndarray) -> np.ndarray:
    """
    Standardise columns and divide each principal axis by the root of its singular value.

    The "SVD" transformation with which mclust starts its hierarchy. Axes without variance
    are dropped.

    Parameters
    ----------
    features
        rows x d.
    """
    centred = features - features.mean(axis=0)
    deviation = centred.std(axis=0, ddof=1)
    centred = centred[:, deviation > 0] / deviation[deviation > 0]
    if not centred.shape[1]:
        return np.zeros((len(features), 1))
    _, values, axes = np.linalg.svd(centred, full_matrices=False)
    kept = values > 1e-10 * values[0]
    return centred @ axes[kept].T / np.sqrt(values[kept])


class _Groups:
    """Sizes, means and scatter matrices of the groups still apart."""

    def __init__(self, rows: np.ndarray) -> None:
        self.size = np.ones(len(rows))
        self.mean = rows.copy()
        self.scatter = np.zeros((len(rows), rows.shape[1], rows.shape[1]))
        self.trace = np.zeros(len(rows))
        spread = ((rows - rows.mean(axis=0)) ** 2).sum()
        self.alpha = max(spread / rows.size, 1e-12)
        self.term = np.full(len(rows), np.log(self.alpha))

    def joined_terms(self, a: int, others: np.ndarray) -> np.ndarray:
        """Evaluate the criterion of group `a` joined with each of `others`."""
        size = self.size[a] + self.size[others]
        factor = self.size[a] * self.size[others] / size
        gap = self.mean[others] - self.mean[a]
        trace = self.trace[a] + self.trace[others] + factor * (gap**2).sum(axis=1)
        spread = (trace + self.alpha) / size
        large = np.flatnonzero(size > gap.shape[1])
        if large.size:
            gap = gap[large] * np.sqrt(factor[large, None])
            joined = self.scatter[others[large]]
            joined += self.scatter[a]
            joined += gap[:, :, None] * gap[:, None, :]
            joined /= size[large, None, None]
            spread[large] += np.maximum(np.linalg.det(joined), 0.0)
        return size * np.log(spread)

    def merge(self, a: int, b: int) -> None:
        """Put group `b` into group `a`."""
        self.term[a] = self.joined_terms(a, np.array([b]))[0]
        size = self.size[a] + self.size[b]
        gap = self.mean[b] - self.mean[a]
        factor = self.size[a] * self.size[b] / size
        self.scatter[a] += self.scatter[b] + factor * np.outer(gap, gap)
        self.trace[a] = np.trace(self.scatter[a])
        self.mean[a] += gap * (self.size[b] / size)
        self.size[a] = size


def agglomerate(rows: np.ndarray) -> np.ndarray:
    """
    Merge rows pair by pair, each time where the criterion grows least.

    Parameters
    ----------
    rows
        m x p, at most a few thousand rows: memory is m^2 + m p^2.

    Returns
    -------
    Merges in order, (m - 1) x 2: the second group goes into the first. Ties go to the lower
    index.
    """
    m = len(rows)
    groups = _Groups(np.asarray(rows, dtype=np.float64))
    cost = np.full((m, m), np.inf)
    for a in range(m - 1):
        others = np.arange(a + 1, m)
        gain = groups.joined_terms(a, others) - groups.term[a] - groups.term[others]
        cost[a, others] = cost[others, a] = gain
    nearest = cost.argmin(axis=1)
    least = cost[np.arange(m), nearest]
    active = np.full(m, True)
    merges = np.empty((max(m - 1, 0), 2), dtype=np.int64)
    for step in range(m - 1):
        a = int(least.argmin())
        a, b = sorted((a, int(nearest[a])))
        merges[step] = a, b
        groups.merge(a, b)
        active[b] = False
        cost[b] = cost[:, b] = least[b] = np.inf
        others = np.flatnonzero(active)
        others = others[others != a]
        if not others.size:
            break
        gain = groups.joined_terms(a, others) - groups.term[a] - groups.term[others]
        cost[a, others] = cost[others, a] = gain
        _refresh(cost, nearest, least, others, a, b)
    return merges


def _refresh(
    cost: np.ndarray,
    nearest: np.ndarray,
    least: np.ndarray,
    others: np.ndarray,
    a: int,
    b: int,
) -> None:
    """Repair the cached row minima after `b` went into `a`."""
    closer = cost[others, a] < least[others]
    lost = ~closer & ((nearest[others] == a) | (nearest[others] == b))
    nearest[others[closer]] = a
    least[others[closer]] = cost[others[closer], a]
    again = np.append(others[lost], a)
    nearest[again] = cost[again].argmin(axis=1)
    least[again] = cost[again, nearest[again]]


def cut_tree(merges: np.ndarray, n_groups: int) -> np.ndarray:
    """Return the partition into `n_groups`, numbered by first appearance."""
    m = len(merges) + 1
    owner = np.arange(m)
    for a, b in merges[: m - n_groups]:
        owner[owner == b] = a
    _, first, label = np.unique(owner, return_index=True, return_inverse=True)
    return first.argsort().argsort()[label]
