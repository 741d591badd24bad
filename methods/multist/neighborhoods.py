"""Each spot and the spots around it, with weights that fall with distance."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np

from methods.shared.graphs.sections import section_knn

OWN = 0.7


class Neighborhoods(NamedTuple):
    """Rows of equal length; where a section has too few spots, a spot fills up its own row."""

    near: np.ndarray  # the spot itself first, spots x (k + 1)
    weight: np.ndarray  # rows sum to 1, 0 where filled up
    known: np.ndarray  # False where filled up


def neighborhoods(
    coordinates: np.ndarray, k: int, pitch: float | None, batch: np.ndarray | None
) -> Neighborhoods:
    """
    List the nearest spots of the same section.

    Parameters
    ----------
    coordinates
        Positions, spots x 2.
    k
        Other spots.
    pitch
        Median nearest distance; measured when None.
    batch
        Section of every spot; None where there is one.

    Returns
    -------
    A spot itself weighs 0.7; the others share 0.3 by ``exp(-d^2 / 2 s^2)``, s being twice the
    median distance. A spot too far from all others weighs 1.
    """
    graph = section_knn(coordinates, k, pitch, batch)
    n, degree = len(coordinates), np.diff(graph.indptr)
    width = int(degree.max(initial=0)) + 1
    near = np.tile(np.arange(n)[:, None], (1, width))
    known = np.arange(width) <= degree[:, None]
    row = np.repeat(np.arange(n), degree)
    column = np.arange(graph.nnz) - np.repeat(graph.indptr[:-1], degree) + 1
    near[row, column] = graph.indices
    square = ((coordinates[near[:, 1:]] - coordinates[:, None]) ** 2).sum(axis=2)
    weight = np.exp(-square / (8 * _middle(square[known[:, 1:]]))) * known[:, 1:]
    total = weight.sum(axis=1, keepdims=True)
    weight *= (1 - OWN) / np.where(total > 0, total, 1.0)
    own = np.where(total > 0, OWN, 1.0)
    return Neighborhoods(near, np.column_stack([own, weight]), known)


def _middle(square: np.ndarray) -> float:
    """Return the squared median distance, 1 where there is none."""
    middle = float(np.median(np.sqrt(square))) ** 2 if square.size else 0.0
    return middle or 1.0
