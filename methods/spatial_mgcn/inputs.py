"""From positions to a graph of near spots, within the least radius that reaches enough."""

from __future__ import annotations

import numpy as np
import scipy.sparse as sp
from scipy.spatial import cKDTree

from methods.contract import Data
from methods.shared.graphs.neighbors import pitch_of
from methods.shared.graphs.radius import ROUND, radius_graph

STEP = 5 / 273  # pitches; the authors search in steps of 5 pixels, on breast at a pitch of 273
LIMIT = 995 / 273  # pitches; their largest radius


def covering_radius(
    coordinates: np.ndarray, densest: int, every: int = 2, step: float = 1.0
) -> float:
    """
    Find the least multiple of `step` that gives all spots and the densest one enough neighbours.

    Parameters
    ----------
    coordinates
        Positions, spots x 2 or 3.
    densest
        Other spots that at least one spot must reach.
    every
        Other spots that every spot must reach, at most `densest`.
    step
        Grid of radii, in the unit of `coordinates`.

    Returns
    -------
    The radius; infinite where there are not enough spots.

    Notes
    -----
    The same value as trying the grid from below, from one query for the `densest` nearest spots.
    """
    coordinates = np.asarray(coordinates, dtype=np.float64)
    if len(coordinates) <= densest:
        return float("inf")
    distance = cKDTree(coordinates).query(coordinates, densest + 1)[0]
    least = max(distance[:, every].max(), distance[:, densest].min())
    return float(np.ceil(least / step - ROUND) * step)


def spatial_graph(
    data: Data, kind: str, radius: float, densest: int
) -> tuple[sp.csr_matrix, float]:
    """
    Join spots within a radius.

    Parameters
    ----------
    data
        Coordinates and pitch.
    kind
        ``radius``: the radius given; ``degree``: the least one within which every spot has two
        others and one spot `densest`.
    radius, densest
        In pitches, and in spots.

    Returns
    -------
    The graph and the radius in pitches.

    Raises
    ------
    ValueError
        Where no radius below 3.6 pitches will do: a spot lies apart, or there are few spots.
    """
    coordinates = data.required_coordinates("Spatial-MGCN")
    pitch = data.pitch or pitch_of(coordinates)
    if kind == "degree":
        radius = covering_radius(coordinates, densest, step=STEP * pitch) / pitch
        if radius > LIMIT:
            raise ValueError(
                f"spatial_graph: no radius up to {LIMIT:.1f} pitches gives every spot two "
                f"neighbours and one spot {densest}; use spatial_graph: radius"
            )
    return radius_graph(coordinates, radius * pitch, pitch), radius
