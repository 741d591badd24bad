"""Cutting a tissue into tiles that know enough of their surroundings."""

from __future__ import annotations

import numpy as np
import scipy.sparse as sp


def spatial_tiles(coordinates: np.ndarray, most: int) -> list[np.ndarray]:
    """
    Halve the tissue along its longer side until no tile has more than `most` spots.

    Parameters
    ----------
    coordinates
        Positions, spots x 2.
    most
        Spots per tile, at least 1.

    Returns
    -------
    Sorted indices of each tile's spots; every spot is in one tile.
    """
    pending, tiles = [np.arange(len(coordinates))], []
    while pending:
        spots = pending.pop()
        if len(spots) <= most:
            tiles.append(spots)
            continue
        positions = coordinates[spots]
        axis = int(np.ptp(positions, axis=0).argmax())
        order = np.argsort(positions[:, axis], kind="stable")
        half = len(spots) // 2
        pending += [np.sort(spots[order[half:]]), np.sort(spots[order[:half]])]
    return tiles


def with_halo(graph: sp.csr_matrix, interior: np.ndarray, hops: int) -> np.ndarray:
    """
    Return the interior spots and then all others that `hops` graph layers let them depend on.

    Parameters
    ----------
    graph
        Row i has entries at the spots that i depends on, spots x spots.
    interior
        Indices of spots.
    hops
        Layers.
    """
    inside = np.zeros(graph.shape[0], dtype=bool)
    inside[interior] = True
    front = interior
    for _ in range(hops):
        reached = np.unique(graph[front].indices)
        front = reached[~inside[reached]]
        inside[front] = True
    inside[interior] = False
    return np.concatenate([interior, np.flatnonzero(inside)])
