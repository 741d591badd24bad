"""Spots within a radius of each other, in one section or in several; edges only, no distances."""

from __future__ import annotations

from itertools import pairwise

import numpy as np
import scipy.sparse as sp
from scipy.spatial import cKDTree

RESOLUTION = 1e-6


def radius_graph(
    coordinates: np.ndarray, radius: float, pitch: float, sections: np.ndarray | None = None
) -> sp.csr_matrix:
    """
    Join spots of one section whose distance is positive and at most `radius`.

    Distances are compared after rounding to 1e-6 of the pitch, so that rotating, moving or
    scaling the tissue changes nothing. Spots that share a position are not joined, and cost no
    more than their edges to others.

    Parameters
    ----------
    coordinates
        Positions, spots x 2.
    radius, pitch
        In the unit of `coordinates`.
    sections
        Section of each spot, spots; None where there is one.

    Returns
    -------
    Symmetric ones without a diagonal, spots x spots, float32.
    """
    places, spot_place = _places(coordinates, sections)
    graph = _within(places, places, radius, pitch)
    member = _membership(spot_place, len(places))
    return _ones(member @ graph @ member.T)


def between_sections(
    coordinates: np.ndarray, radius: float, pitch: float, sections: np.ndarray
) -> sp.csr_matrix:
    """
    Join spots of consecutive, aligned sections whose in-plane distance is at most `radius`.

    Spots exactly above each other are not joined, as in the authors' networks.

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
    codes = np.unique(sections)
    n = len(coordinates)
    graph = sp.csr_matrix((n, n), dtype=np.float32)
    for lower, upper in pairwise(codes):
        left, right = (np.flatnonzero(sections == code) for code in (lower, upper))
        edges = _within(coordinates[left], coordinates[right], radius, pitch).tocoo()
        half = sp.csr_matrix((edges.data, (left[edges.row], right[edges.col])), (n, n))
        graph = graph + half + half.T
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
    places, _ = _places(coordinates, sections)
    k = min(int(4 * degree) + 1, len(places))
    if k < 2:
        return 0.0
    distance = cKDTree(places).query(places, k)[0][:, 1:].ravel()
    within = np.sort(distance[distance <= _extent(coordinates)])
    wanted = min(int(np.ceil(degree * len(places))), within.size)
    return float(within[wanted - 1]) if wanted else 0.0


def _extent(coordinates: np.ndarray) -> float:
    return float(np.linalg.norm(np.ptp(coordinates, axis=0)))


def _places(coordinates: np.ndarray, sections: np.ndarray | None) -> tuple[np.ndarray, np.ndarray]:
    """Return distinct positions, sections far apart on a third axis, and each spot's position."""
    apart = 3 * max(_extent(coordinates), 1.0)
    height = np.zeros(len(coordinates)) if sections is None else apart * sections
    spots = np.column_stack([coordinates, height]).astype(np.float64)
    places, spot_place = np.unique(spots, axis=0, return_inverse=True)
    return places, spot_place.ravel()


def _within(left: np.ndarray, right: np.ndarray, radius: float, pitch: float) -> sp.csr_matrix:
    """Find pairs at a positive distance of at most `radius`, both rounded."""
    unit = RESOLUTION * pitch
    trees = cKDTree(left), cKDTree(right)
    pairs = trees[0].sparse_distance_matrix(trees[1], radius + unit, output_type="ndarray")
    steps = np.rint(pairs["v"] / unit)
    pairs = pairs[(steps > 0) & (steps <= np.rint(radius / unit))]
    ones = np.ones(len(pairs), dtype=np.float32)
    return sp.csr_matrix((ones, (pairs["i"], pairs["j"])), (len(left), len(right)))


def _membership(place: np.ndarray, n_places: int) -> sp.csr_matrix:
    n = len(place)
    ones = np.ones(n, dtype=np.float32)
    return sp.csr_matrix((ones, place, np.arange(n + 1)), (n, n_places))


def _ones(graph: sp.csr_matrix) -> sp.csr_matrix:
    graph = sp.csr_matrix(graph, dtype=np.float32)
    graph.data[:] = 1
    graph.sort_indices()
    return graph
