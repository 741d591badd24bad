"""Exact neighbours by cosine distance, in blocks of a sparse matrix."""

from __future__ import annotations

import numpy as np
import scipy.sparse as sp

ROWS = 512
MARGIN = 9
RESOLUTION = 1e-9


def unit_rows(matrix: sp.csr_matrix) -> sp.csr_matrix:
    """Scale rows to length 1, float64; rows of zeros stay."""
    matrix = sp.csr_matrix(matrix, dtype=np.float64)
    length = np.sqrt(np.asarray(matrix.multiply(matrix).sum(axis=1)).ravel())
    return sp.csr_matrix(sp.diags_array(1 / np.where(length > 0, length, 1.0)) @ matrix)


def cosine_knn(matrix: sp.csr_matrix, k: int) -> np.ndarray:
    """
    Find the k nearest other cells by cosine distance.

    All pairs are compared in float32 blocks; the nearest few more than k are then ordered by
    float64 distances rounded to 1e-9, equal ones by index.

    Parameters
    ----------
    matrix
        cells x genes.
    k
        Neighbours per cell; at most cells - 1 are returned.

    Returns
    -------
    Indices, cells x k, nearest first; a cell is never its own neighbour.
    """
    unit = unit_rows(matrix)
    n = unit.shape[0]
    k = min(k, n - 1)
    if k < 1:
        return np.empty((n, 0), dtype=np.int64)
    blocks = [unit[start : start + ROWS].astype(np.float32) for start in range(0, n, ROWS)]
    found = [_nearest(blocks, b, unit, k) for b in range(len(blocks))]
    return np.concatenate(found)


def _nearest(blocks: list[sp.csr_matrix], b: int, unit: sp.csr_matrix, k: int) -> np.ndarray:
    """Compare one block of cells with all."""
    left = blocks[b].toarray()
    similarity = np.concatenate([left @ block.toarray().T for block in blocks], axis=1)
    rows = np.arange(len(left)) + b * ROWS
    similarity[np.arange(len(left)), rows] = -np.inf
    width = min(k + MARGIN, unit.shape[0] - 1)
    candidates = np.argpartition(-similarity, width - 1, axis=1)[:, :width]
    pairs = unit[np.repeat(rows, width)].multiply(unit[candidates.ravel()])
    distance = 1 - np.asarray(pairs.sum(axis=1)).reshape(len(left), width)
    order = np.lexsort((candidates, np.rint(distance / RESOLUTION)), axis=1)[:, :k]
    return np.take_along_axis(candidates, order, axis=1)
