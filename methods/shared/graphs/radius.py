"""Graphs of spots closer than a radius."""

from __future__ import annotations

import numpy as np
import scipy.sparse as sp
from scipy.spatial import cKDTree

from methods.shared.graphs.neighbors import pitch_of

MOST = 1000
ROUND = 1e-6


def radius_graph(
    coordinates: np.ndarray, radius: float, pitch: float | None = None
) -> sp.csr_matrix:
    """
    Join spots at most `radius` apart.

    Distances are compared after rounding to 1e-6 of the pitch, so that rotating, moving or
    scaling the tissue together with the radius changes nothing.

    Parameters
    ----------
    coordinates
        Positions, spots x 2 or 3.
    radius
        In the unit of `coordinates`.
    pitch
        Median nearest distance; measured when None.

    Returns
    -------
    Symmetric 0/1 graph without loops, float32; a spot may have no neighbour.

    Raises
    ------
    ValueError
        Where spots have more than 1,000 neighbours on average: memory would not stay linear.
    """
    coordinates = np.asarray(coordinates, dtype=np.float64)
    n, unit = len(coordinates), ROUND * (pitch or pitch_of(coordinates))
    tree = cKDTree(coordinates)
    reach = radius + unit
    mean = tree.count_neighbors(tree, reach) / n - 1
    if mean > MOST:
        raise ValueError(
            f"radius: {radius:g} joins a spot with {mean:.0f} others on average; take a radius "
            f"that reaches at most {MOST}, or look for spots that share one position"
        )
    i, j = tree.query_pairs(reach, output_type="ndarray").T
    distance = np.linalg.norm(coordinates[i] - coordinates[j], axis=1)
    near = np.rint(distance / unit) <= np.rint(radius / unit)
    i, j = i[near], j[near]
    ones = np.ones(2 * len(i), dtype=np.float32)
    rows, columns = np.concatenate([i, j]), np.concatenate([j, i])
    graph = sp.csr_matrix((ones, (rows, columns)), shape=(n, n))
    graph.sort_indices()
    return graph
