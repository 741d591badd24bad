"""The domain of each spot. Pure geometry, no expression."""

from __future__ import annotations

import numpy as np
from scipy.stats import rankdata

from blindfold.prepare.mosaic.lattice import to_unit
from blindfold.prepare.mosaic.options import LayoutName

FIELDS = 8
"""Fields of a checkerboard along its longer side."""
GOLDEN_ANGLE = np.pi * (3 - np.sqrt(5))


def plant_domains(
    layout: LayoutName, coordinates: np.ndarray, domains: int, evenness: float,
    rng: np.random.Generator,
) -> tuple[np.ndarray, np.ndarray]:  # fmt: skip
    """Assign positions to domains.

    Parameters
    ----------
    layout
        The kind of tissue; see `blindfold.prepare.mosaic.options.Options`.
    coordinates
        N x 2.
    domains
        Number of domains.
    evenness
        Size of the smallest over that of the largest domain, where the layout leaves sizes free.
    rng
        Used by the layout ``none`` alone.

    Returns
    -------
    tuple of numpy.ndarray
        Domain code from 0 of each spot; and the spot's position in the sequence of domains, from 0
        to domains - 1: the code itself, except in a gradient, where it runs from one to the next.
    """
    if layout == "gradient":
        return _gradient(coordinates, weights(domains, evenness))
    if layout == "mosaic":
        code = _mosaic(coordinates, domains, evenness)
    elif layout == "layers":
        code = _layers(coordinates, weights(domains, evenness)[::-1])
    elif layout == "islands":
        code = _islands(coordinates, weights(domains - 1, evenness))
    elif layout == "checkerboard":
        code = _checkerboard(coordinates, domains)
    else:
        share = (rng.permutation(len(coordinates)) + 0.5) / len(coordinates)
        code = _bins(share, weights(domains, evenness))
    return code, code.astype(float)


def weights(domains: int, evenness: float) -> np.ndarray:
    """Return sizes that fall geometrically from 1 to ``evenness``."""
    return np.geomspace(1, evenness, domains)


def domain_names(layout: LayoutName, domains: int) -> list[str]:
    """Return the name of each domain code."""
    if layout == "mosaic":
        return [*(f"layer {i + 1}" for i in range(domains - 2)), "island", "strip"]
    if layout == "islands":
        return ["background", *(f"islands {i + 1}" for i in range(domains - 1))]
    kind = {"layers": "layer", "gradient": "zone", "checkerboard": "field", "none": "kind"}[layout]
    return [f"{kind} {i + 1}" for i in range(domains)]


def _bins(share: np.ndarray, sizes: np.ndarray) -> np.ndarray:
    """Cut values that are spread evenly from 0 to 1 into bins of these relative sizes."""
    edges = np.cumsum(sizes)
    return np.searchsorted(edges[:-1] / edges[-1], share)


def _layers(coordinates: np.ndarray, sizes: np.ndarray) -> np.ndarray:
    """Return curved layers, from the outer (0) to the inner; their sizes from the inner one."""
    x, y = to_unit(coordinates).T
    depth = np.hypot(x - 0.15, 1.15 * (y + 1.45)) + 0.05 * np.sin(5 * x)
    share = np.cumsum(sizes)
    inner = np.quantile(depth, share[:-1] / share[-1])
    return len(sizes) - 1 - np.searchsorted(inner, depth)


def _mosaic(coordinates: np.ndarray, domains: int, evenness: float) -> np.ndarray:
    """Return layers, and an island and a thin strip that lie across them."""
    layers = domains - 2
    code = _layers(coordinates, np.linspace(1, 1.5, layers) * weights(layers, evenness)[::-1])
    x, y = to_unit(coordinates).T
    island = ((x + 0.42) / 0.30) ** 2 + ((y + 0.28) / 0.24) ** 2 < 1
    strip = (np.abs(x - 0.45 - 0.18 * np.sin(2.5 * y)) < 0.075) & (y < 0.72)
    code[island] = layers
    code[strip] = layers + 1
    return code


def _islands(coordinates: np.ndarray, sizes: np.ndarray) -> np.ndarray:
    """Return a background (0) that covers half of the tissue, and two islands of each domain."""
    number = 2 * len(sizes)
    turn = GOLDEN_ANGLE * np.arange(number)
    # a sunflower: seeds at these radii and angles have equal areas around them
    radius = 0.85 * np.sqrt((np.arange(number) + 0.5) / number)
    extent = np.abs(to_unit(coordinates)).max(axis=0)
    seeds = radius[:, None] * np.column_stack([np.cos(turn), np.sin(turn)]) * extent
    away = np.linalg.norm(to_unit(coordinates)[:, None] - seeds, axis=2)
    # consecutive seeds lie apart, and the outer ones have room for the larger islands
    reach = away / np.sqrt(np.repeat(sizes[::-1], 2))
    nearest = reach.argmin(axis=1)
    inside = reach.min(axis=1) < np.median(reach.min(axis=1))
    return np.where(inside, len(sizes) - nearest // 2, 0)


def _checkerboard(coordinates: np.ndarray, domains: int) -> np.ndarray:
    """Return square fields; two that share a side never belong to one domain."""
    field = np.floor((to_unit(coordinates) + 1) / 2 * FIELDS).clip(0, FIELDS - 1).astype(int)
    step = 2 if domains > 2 else 1
    return np.asarray((field[:, 0] + step * field[:, 1]) % domains)


def _gradient(coordinates: np.ndarray, sizes: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Return bins along x, and the position between the middles of neighbouring bins."""
    along = (rankdata(coordinates[:, 0]) - 0.5) / len(coordinates)
    edges = np.concatenate([[0], np.cumsum(sizes) / sizes.sum()])
    middles = (edges[:-1] + edges[1:]) / 2
    return _bins(along, sizes), np.interp(along, middles, np.arange(len(sizes)))
