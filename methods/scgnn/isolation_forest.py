"""Isolation forests on the neighbourhoods of all cells at once.

Liu et al., ICDM 2008, doi 10.1109/ICDM.2008.17.
"""

from __future__ import annotations

import numpy as np

TREES = 100
TRIES = 64  # features drawn before the points of a node count as identical
BLOCK = 2048  # cells


def expected_path(size: np.ndarray) -> np.ndarray:
    """Return the mean depth of an unsuccessful search in a random tree of `size` points."""
    size = np.asarray(size, dtype=float)
    harmonic = np.log(np.maximum(size - 1, 1)) + np.euler_gamma
    long = 2 * harmonic - 2 * (size - 1) / np.maximum(size, 1)
    return np.where(size > 2, long, np.where(size == 2, 1.0, 0.0))


def _split(
    points: np.ndarray, active: np.ndarray, node: np.ndarray, rng: np.random.Generator
) -> np.ndarray:
    """Cut every node at a random place of a random feature that varies in it; rows that go right.

    Parameters
    ----------
    points
        cells x points x features.
    active
        cells x points: whether the point still belongs to a node of several points.
    node
        cells x points.
    """
    n, m, d = points.shape
    right = np.zeros((n, m), dtype=bool)
    cells = np.flatnonzero(active.any(axis=1))
    open_ = active.copy()
    for _ in range(TRIES):
        if not cells.size:
            break
        here = node[cells]
        feature = np.take_along_axis(rng.integers(d, size=(len(cells), m)), here, axis=1)
        at = rng.random((len(cells), m))
        share = np.take_along_axis(at, here, axis=1)
        value = points[cells[:, None], np.arange(m)[None], feature]
        same = here[:, :, None] == here[:, None, :]
        low = np.where(same, value[:, None, :], np.inf).min(axis=2)
        high = np.where(same, value[:, None, :], -np.inf).max(axis=2)
        cut = open_[cells] & (high > low)
        right[cells] |= cut & (value > low + share * (high - low))
        open_[cells] &= ~cut
        cells = cells[open_[cells].any(axis=1)]
    return right


def mean_paths(points: np.ndarray, rng: np.random.Generator) -> np.ndarray:
    """
    Average the depth at which each point is isolated, over trees on all points of its cell.

    Parameters
    ----------
    points
        cells x points x features.
    rng
        Source of the trees.

    Returns
    -------
    cells x points.
    """
    n, m, _ = points.shape
    depth_limit = int(np.ceil(np.log2(max(m, 2))))
    total = np.zeros((n, m))
    for _ in range(TREES):
        node = np.zeros((n, m), dtype=np.int64)  # a node is named by its first point
        depth = np.zeros((n, m))
        for _ in range(depth_limit):
            size = (node[:, :, None] == node[:, None, :]).sum(axis=2)
            active = size > 1
            if not active.any():
                break
            right = _split(points, active, node, rng)
            key = 2 * node + right
            same = key[:, :, None] == key[:, None, :]
            depth += active & (same.sum(axis=2) < size)
            node = same.argmax(axis=2)
        size = (node[:, :, None] == node[:, None, :]).sum(axis=2)
        total += depth + expected_path(size)
    return total / TREES


def isolated(features: np.ndarray, neighbours: np.ndarray, rng: np.random.Generator) -> np.ndarray:
    """
    Mark neighbours that a forest on the cell and its neighbours finds anomalous.

    Parameters
    ----------
    features
        cells x d.
    neighbours
        cells x k.
    rng
        Source of the trees.

    Returns
    -------
    cells x k; True where the anomaly score 2^(-depth / expected depth) exceeds 1/2.
    """
    n, k = neighbours.shape
    features = np.ascontiguousarray(features[:, np.ptp(features, axis=0) > 0])
    if k < 2 or not features.shape[1]:
        return np.zeros((n, k), dtype=bool)
    members = np.column_stack([np.arange(n), neighbours])
    limit = float(expected_path(np.array(k + 1)))
    far = np.empty((n, k), dtype=bool)
    for start in range(0, n, BLOCK):
        paths = mean_paths(features[members[start : start + BLOCK]], rng)
        far[start : start + BLOCK] = paths[:, 1:] < limit
    return far
