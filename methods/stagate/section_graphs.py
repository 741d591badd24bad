"""Radius graphs of one section or several; spots that share a position are not joined."""

from __future__ import annotations

from itertools import pairwise

import numpy as np
import scipy.sparse as sp
from scipy.spatial import cKDTree

from methods.shared.graphs.radius import radius_graph


def section_graph(
    coordinates: np.ndarray, radius: float, pitch: float, sections: np.ndarray | None = None
) -> sp.csr_matrix:
    """
    Join spots of one section at different positions at most `radius` apart.

    Parameters
    ----------
    coordinates
        Positions, spots x 2.
    radius, pitch
        In the unit of `coordinates`; for the tie rule see `radius_graph`.
    sections
        Section of each spot, spots; None where there is one.

    Returns
    -------
    Symmetric ones without a diagonal, spots x spots, float32.
    """
    positions, position_of = _distinct_positions(coordinates, sections)
    graph = radius_graph(positions, radius, pitch)
    n = len(position_of)
    ones = np.ones(n, dtype=np.float32)
    member = sp.csr_matrix((ones, position_of, np.arange(n + 1)), (n, len(positions)))
    return _ones(member @ graph @ member.T)


def between_sections(
    coordinates: np.ndarray, radius: float, pitch: float, sections: np.ndarray
) -> sp.csr_matrix:
    """
    Join spots of consecutive, aligned sections whose in-plane distance is at most `radius`.

    Spots exactly above each other are not joined, as within a section.

    Parameters
    ----------
    coordinates
        Positions, spots x 2, of all sections in one frame.
    radius, pitch
        In the unit of `coordinates`.
    sections
        Section of each spot, spots; neighbours in sorted order are consecutive.

    Returns
    -------
    Symmetric ones, spots x spots, float32.
    """
    n = len(coordinates)
    graph = sp.csr_matrix((n, n), dtype=np.float32)
    for pair in pairwise(np.unique(sections)):
        spots = np.flatnonzero(np.isin(sections, pair))
        edges = section_graph(coordinates[spots], radius, pitch).tocoo()
        rows, columns = spots[edges.row], spots[edges.col]
        cross = sections[rows] != sections[columns]
        found = (edges.data[cross], (rows[cross], columns[cross]))
        graph = graph + sp.csr_matrix(found, (n, n))
    return _ones(graph)


def radius_of_mean_degree(
    coordinates: np.ndarray, degree: float, sections: np.ndarray | None = None
) -> float:
    """
    Return the least radius within which spots have `degree` neighbours on average.

    Parameters
    ----------
    coordinates
        Positions, spots x 2.
    degree
        Neighbours wanted; the four-fold number is looked at around each spot.
    sections
        Section of each spot, spots; None where there is one.

    Returns
    -------
    A distance; the largest one looked at where spots are too few, 0 where all share a position.
    """
    positions, _ = _distinct_positions(coordinates, sections)
    k = min(int(4 * degree) + 1, len(positions))
    if k < 2:
        return 0.0
    distance = cKDTree(positions).query(positions, k)[0][:, 1:].ravel()
    within = np.sort(distance[distance <= _extent(coordinates)])
    wanted = min(int(np.ceil(degree * len(positions))), within.size)
    return float(within[wanted - 1]) if wanted else 0.0


def _extent(coordinates: np.ndarray) -> float:
    return float(np.linalg.norm(np.ptp(coordinates, axis=0)))


def _distinct_positions(
    coordinates: np.ndarray, sections: np.ndarray | None
) -> tuple[np.ndarray, np.ndarray]:
    """Return distinct positions, sections far apart on a third axis, and each spot's position."""
    apart = 3 * max(_extent(coordinates), 1.0)
    height = np.zeros(len(coordinates)) if sections is None else apart * sections
    spots = np.column_stack([coordinates, height]).astype(np.float64)
    positions, position_of = np.unique(spots, axis=0, return_inverse=True)
    return positions, position_of.ravel()


def _ones(graph: sp.csr_matrix) -> sp.csr_matrix:
    graph = sp.csr_matrix(graph, dtype=np.float32)
    graph.data[:] = 1
    graph.sort_indices()
    return graph
