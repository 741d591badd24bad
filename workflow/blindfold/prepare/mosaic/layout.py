"""Where spots lie and which domain each belongs to. Pure geometry, no expression."""

from __future__ import annotations

import numpy as np


def hexagonal(spots: int, pitch: float) -> np.ndarray:
    """Return the positions of a rounded tissue on a hexagonal lattice.

    Parameters
    ----------
    spots
        How many lattice points to keep: those that are nearest the middle in the sense of a
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
    # one part in a million breaks the ties of the symmetric lattice
    size = np.abs(x / 1.12 + 1e-6 * y) ** 3 + np.abs(y + 1e-6 * x) ** 3
    kept = np.sort(np.argsort(size, kind="stable")[:spots])
    points = np.column_stack([x[kept], y[kept]])
    return np.asarray((points - points.min(axis=0) + 2) * pitch)


def to_unit(coordinates: np.ndarray) -> np.ndarray:
    """Map positions into the square from -1 to 1, keeping proportions."""
    low, high = coordinates.min(axis=0), coordinates.max(axis=0)
    return np.asarray((coordinates - (low + high) / 2) / ((high - low).max() / 2))


def plant_domains(coordinates: np.ndarray, domains: int) -> np.ndarray:
    """Assign positions to curved layers, an island and a thin strip.

    Parameters
    ----------
    coordinates
        N x 2.
    domains
        Number of domains, at least 3: all but two are layers, from the outer (0) to the inner;
        then the island, then the strip.

    Returns
    -------
    numpy.ndarray
        Domain code from 0 of each position.
    """
    x, y = to_unit(coordinates).T
    depth = np.hypot(x - 0.15, 1.15 * (y + 1.45)) + 0.05 * np.sin(5 * x)
    layers = domains - 2
    share = np.cumsum(np.linspace(1, 1.5, layers))
    inner = np.quantile(depth, share[:-1] / share[-1])
    code = layers - 1 - np.searchsorted(inner, depth)
    island = ((x + 0.42) / 0.30) ** 2 + ((y + 0.28) / 0.24) ** 2 < 1
    strip = (np.abs(x - 0.45 - 0.18 * np.sin(2.5 * y)) < 0.075) & (y < 0.72)
    code[island] = layers
    code[strip] = layers + 1
    return code


def domain_names(domains: int) -> list[str]:
    """Return the name of each domain code."""
    return [*(f"layer {i + 1}" for i in range(domains - 2)), "island", "strip"]
