"""The least radius that reaches enough spots."""

from __future__ import annotations

import numpy as np
from scipy.spatial import cKDTree

from methods.shared.graphs.radius import ROUND


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
