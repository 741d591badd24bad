"""Positions of spots on a lattice. Pure geometry, no expression."""

from __future__ import annotations

import numpy as np


def hexagonal(spots: int, pitch: float) -> np.ndarray:
    """Return the positions of a rounded tissue on a hexagonal lattice.

    Parameters
    ----------
    spots
        Number of lattice points to keep: those nearest to the middle in the sense of a
        superellipse, so that the outline is a rounded rectangle.
    pitch
        Distance of neighbouring spots.

    Returns
    -------
    numpy.ndarray
        spots x 2 (x, y), row by row, at least two pitches from zero.
    """
    half = int(np.ceil(np.sqrt(spots))) + 2
    row, column = np.mgrid[-half : half + 1, -half : half + 1]
    x = (column + 0.5 * (row % 2)).ravel()
    y = (row * np.sqrt(3) / 2).ravel()
    # a tilt of one part in a million breaks the ties of the symmetric lattice
    size = np.abs(x / 1.12 + 1e-6 * y) ** 3 + np.abs(y + 1e-6 * x) ** 3
    kept = np.sort(np.argsort(size, kind="stable")[:spots])
    points = np.column_stack([x[kept], y[kept]])
    return np.asarray((points - points.min(axis=0) + 2) * pitch)


def to_unit(coordinates: np.ndarray) -> np.ndarray:
    """Map positions into the square from -1 to 1, keeping proportions."""
    low, high = coordinates.min(axis=0), coordinates.max(axis=0)
    return np.asarray((coordinates - (low + high) / 2) / ((high - low).max() / 2))
