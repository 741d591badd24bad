"""The Markov matrix of cells that diffusion repeats."""

from __future__ import annotations

import numpy as np
import scipy.sparse as sp

from methods.shared.graphs.neighbors import feature_knn
from methods.shared.graphs.weights import row_normalized

LEAST = 1e-4  # affinities below count as none


def alpha_decay(features: np.ndarray, n_neighbors: int, decay: float) -> sp.csr_matrix:
    """
    Build the alpha-decaying kernel and divide its rows by their sums.

    Affinity exp(-(d / s)^decay), s the distance to the cell's own n-th neighbour, over its
    nearest 3 n other cells and itself; then the mean of both directions.

    Parameters
    ----------
    features
        cells x d.
    n_neighbors
        n; fewer where there are fewer other cells.
    decay
        How sharply affinity ends; 1 in van Dijk et al.

    Returns
    -------
    cells x cells, rows summing to 1, at most 6 n + 1 entries a row on average.

    Notes
    -----
    van Dijk et al., Cell 174, 716 (2018), doi 10.1016/j.cell.2018.05.061, with the neighbours of
    the public code (at most three times as many as set the width, affinities of 1e-4 or more).
    """
    n = len(features)
    if n < 2:
        return sp.csr_matrix(np.ones((n, n), dtype=np.float32))
    index, distance = feature_knn(features, 3 * n_neighbors)
    width = distance[:, min(n_neighbors, n - 1) - 1]
    # among duplicates the width is 0: only they are near
    scaled = distance / np.maximum(width, np.finfo(float).eps)[:, None]
    affinity = np.exp(-(scaled**decay))
    affinity[affinity < LEAST] = 0
    start = index.shape[1] * np.arange(n + 1)
    kernel = sp.csr_matrix((affinity.ravel(), index.ravel(), start), shape=(n, n))
    kernel.eliminate_zeros()
    return row_normalized(sp.csr_matrix(kernel + kernel.T + 2 * sp.eye_array(n, format="csr")))
