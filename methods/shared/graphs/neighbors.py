"""Nearest neighbours in space and in expression, ties decided the same way everywhere."""

from __future__ import annotations

from typing import Any

import numpy as np
import scipy.sparse as sp
from scipy.spatial import cKDTree

from methods.shared.expression.pca import principal_components


def pitch_of(coordinates: np.ndarray) -> float:
    """Return the median positive distance to the nearest neighbour, 1 if there is none."""
    n = len(coordinates)
    if n < 2:
        return 1.0
    distance = cKDTree(coordinates).query(coordinates, 2)[0][:, 1]
    positive = distance[distance > 0]
    return float(np.median(positive)) if positive.size else 1.0


def spatial_knn(coordinates: np.ndarray, k: int, pitch: float | None = None) -> np.ndarray:
    """
    Find the k nearest other spots of every spot, ties decided the same way everywhere.

    Distances are compared after rounding to 1e-6 of the pitch, equal ones by index, so that
    rotating, moving or scaling the tissue changes nothing.

    Parameters
    ----------
    coordinates
        Positions, spots x 2.
    k
        Neighbours per spot; at most spots - 1 are returned.
    pitch
        Median nearest distance; measured when None.

    Returns
    -------
    Indices, spots x k, nearest first. A spot is never its own neighbour, even where several
    spots share one position.
    """
    coordinates = np.asarray(coordinates, dtype=np.float64)
    n = len(coordinates)
    k = min(k, n - 1)
    unit = 1e-6 * (pitch or pitch_of(coordinates))
    tree = cKDTree(coordinates)
    neighbours = np.empty((n, k), dtype=np.int64)
    pending, width = np.arange(n), k + 9
    while pending.size:
        width = min(width, n)
        found, complete = _nearest(tree, coordinates, pending, k, width, unit)
        neighbours[pending[complete]] = found[complete]
        pending, width = pending[~complete], 4 * width
    return neighbours


def _nearest(
    tree: cKDTree, coordinates: np.ndarray, rows: np.ndarray, k: int, width: int, unit: float
) -> tuple[np.ndarray, np.ndarray]:
    """Query `width` candidates; a row is complete when its last tie is known to be in."""
    distance, index = tree.query(coordinates[rows], width)
    distance, index = distance.reshape(len(rows), width), index.reshape(len(rows), width)
    key = np.rint(distance / unit)
    itself = index == rows[:, None]
    key[itself] = -1.0
    order = np.lexsort((index, key), axis=1)
    key = np.take_along_axis(key, order, axis=1)
    complete = np.full(len(rows), True)
    if width < len(coordinates):
        complete = itself.any(axis=1) & (key[:, k] < key[:, -1])
    return np.take_along_axis(index, order, axis=1)[:, 1 : k + 1], complete


def feature_knn(features: np.ndarray, k: int) -> tuple[np.ndarray, np.ndarray]:
    """
    Find the k nearest other cells by Euclidean distance, exactly, in blocks.

    Parameters
    ----------
    features
        cells x d.
    k
        Neighbours per cell; at most cells - 1 are returned.

    Returns
    -------
    Indices and distances, cells x k, nearest first; a cell is never its own neighbour, even
    among duplicates.
    """
    from sklearn.neighbors import NearestNeighbors

    n = len(features)
    k = min(k, n - 1)
    finder = NearestNeighbors(n_neighbors=k + 1, algorithm="brute").fit(features)
    distance, index = finder.kneighbors(features)
    other = index != np.arange(n)[:, None]
    other[other.all(axis=1), -1] = False
    shape = (n, k)
    return index[other].reshape(shape), distance[other].reshape(shape)


COSINE_ROWS = 512
MARGIN = 9
RESOLUTION = 1e-9


def unit_rows(matrix: Any) -> Any:
    """Scale rows, dense or sparse, to length 1, float64; rows of zeros stay."""
    from sklearn.preprocessing import normalize

    return normalize(matrix.astype(np.float64))


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
    blocks = [
        unit[start : start + COSINE_ROWS].astype(np.float32) for start in range(0, n, COSINE_ROWS)
    ]
    found = [_nearest_by_cosine(blocks, b, unit, k) for b in range(len(blocks))]
    return np.concatenate(found)


def _nearest_by_cosine(
    blocks: list[sp.csr_matrix], b: int, unit: sp.csr_matrix, k: int
) -> np.ndarray:
    """Compare one block of cells with all."""
    left = blocks[b].toarray()
    similarity = np.concatenate([left @ block.toarray().T for block in blocks], axis=1)
    rows = np.arange(len(left)) + b * COSINE_ROWS
    similarity[np.arange(len(left)), rows] = -np.inf
    width = min(k + MARGIN, unit.shape[0] - 1)
    candidates = np.argpartition(-similarity, width - 1, axis=1)[:, :width]
    pairs = unit[np.repeat(rows, width)].multiply(unit[candidates.ravel()])
    distance = 1 - np.asarray(pairs.sum(axis=1)).reshape(len(left), width)
    order = np.lexsort((candidates, np.rint(distance / RESOLUTION)), axis=1)[:, :k]
    return np.take_along_axis(candidates, order, axis=1)


EXACT_UP_TO = 20_000
N_COMPONENTS = 50


def expression_knn(
    features: sp.csr_matrix, k: int, exact_up_to: int = EXACT_UP_TO
) -> tuple[np.ndarray, str]:
    """
    List the k nearest other cells by cosine distance.

    Parameters
    ----------
    features
        cells x genes.
    k
        Neighbours per cell; at most cells - 1 are returned.
    exact_up_to
        Cells up to which all genes are compared; above, 50 principal components.

    Returns
    -------
    Indices, cells x k, nearest first, and the rule in words.
    """
    if features.shape[0] <= exact_up_to:
        return cosine_knn(features, k), "exact"
    components = principal_components(features, N_COMPONENTS)
    return feature_knn(unit_rows(components), k)[0], f"{components.shape[1]} components"
