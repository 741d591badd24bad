"""Neighbour graphs as index arrays and CSR matrices; no cells x cells array is formed."""

from __future__ import annotations

import numpy as np
import scipy.sparse as sp
from scipy.spatial import cKDTree


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


def adjacency(neighbours: np.ndarray, itself: bool = False) -> sp.csr_matrix:
    """
    Build the binary directed graph, row i having ones at the neighbours of i.

    Parameters
    ----------
    neighbours
        cells x k indices without the cell itself.
    itself
        Whether to add the unit diagonal.
    """
    n = len(neighbours)
    if itself:
        neighbours = np.column_stack([np.arange(n), neighbours])
    k = neighbours.shape[1]
    data = np.ones(n * k, dtype=np.float32)
    graph = sp.csr_matrix((data, neighbours.ravel(), k * np.arange(n + 1)), shape=(n, n))
    graph.sort_indices()
    return graph


def symmetrise(graph: sp.csr_matrix) -> sp.csr_matrix:
    """Keep an edge wherever either direction has one."""
    return graph.maximum(graph.T).tocsr()


def normalise(graph: sp.csr_matrix) -> sp.csr_matrix:
    """Divide every edge by the root of both its ends' degrees; degree 0 stays 0."""
    degree = np.asarray(graph.sum(axis=1)).ravel()
    root = np.zeros_like(degree)
    np.divide(1.0, np.sqrt(degree), out=root, where=degree > 0)
    scale = sp.diags_array(root)
    return sp.csr_matrix(scale @ graph @ scale).astype(np.float32)


def average(graph: sp.csr_matrix) -> sp.csr_matrix:
    """Divide every row by its sum, so that a product averages over neighbours."""
    total = np.asarray(graph.sum(axis=1)).ravel()
    scale = sp.diags_array(1.0 / np.where(total > 0, total, 1.0))
    return sp.csr_matrix(scale @ graph).astype(np.float32)
