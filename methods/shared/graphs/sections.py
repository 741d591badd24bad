"""Neighbour graphs and votes of several sections, none of which reaches into another."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np
import scipy.sparse as sp

from methods.contract import Data, Result
from methods.shared.graphs.neighbors import spatial_knn


def sections(batch: np.ndarray | None, n_spots: int) -> Iterator[np.ndarray]:
    """Yield the spots of every section; without batches all of them are one."""
    if batch is None:
        yield np.arange(n_spots)
        return
    for code in np.unique(batch):
        yield np.flatnonzero(batch == code)


def section_knn(
    coordinates: np.ndarray, k: int, pitch: float | None, batch: np.ndarray | None = None
) -> sp.csr_matrix:
    """
    Join every spot to the k nearest other spots of its own section.

    Parameters
    ----------
    coordinates
        Positions, spots x 2; those of different sections may overlap.
    k
        Neighbours per spot, fewer in a section of fewer spots; ties as in `spatial_knn`.
    pitch
        Median nearest distance; measured when None.
    batch
        Section of every spot.

    Returns
    -------
    Directed 0/1 graph, spots x spots, block-diagonal up to the order of the spots, no loops.
    """
    n = len(coordinates)
    sources, targets = [], []
    for spots in sections(batch, n):
        found = spots[spatial_knn(coordinates[spots], k, pitch)]
        sources.append(np.repeat(spots, found.shape[1]))
        targets.append(found.ravel())
    row, column = np.concatenate(sources), np.concatenate(targets)
    graph = sp.csr_matrix((np.ones(len(row), dtype=np.float32), (row, column)), shape=(n, n))
    graph.sort_indices()
    return graph


def section_vote(
    clusters: np.ndarray,
    coordinates: np.ndarray,
    radius: int,
    pitch: float | None,
    batch: np.ndarray | None = None,
) -> np.ndarray:
    """Smooth a partition as `majority_vote` does, within each section."""
    smooth = np.array(clusters)
    for spots in sections(batch, len(clusters)):
        smooth[spots] = majority_vote(clusters[spots], coordinates[spots], radius, pitch)
    return smooth


def majority_vote(
    clusters: np.ndarray, coordinates: np.ndarray, radius: int, pitch: float | None = None
) -> np.ndarray:
    """
    Give every spot the commonest cluster of its nearest other spots, all at once.

    Parameters
    ----------
    clusters
        One per spot.
    coordinates
        Positions, spots x 2.
    radius
        Nearest spots that vote; the spot itself does not; 0 changes nothing.
    pitch
        Median nearest distance; measured when None.

    Returns
    -------
    New clusters. Of equally common ones the first met going outwards wins.
    """
    if radius == 0 or len(clusters) < 2:
        return clusters
    votes = clusters[spatial_knn(coordinates, radius, pitch)]
    counts = np.zeros(votes.shape, dtype=np.int64)
    for column in votes.T:
        counts += votes == column[:, None]
    # argmax returns the first position, hence the nearest among equals
    winner = counts.argmax(axis=1)
    return votes[np.arange(len(votes)), winner]


def voted(found: Result, data: Data, n_voters: int) -> Result:
    """Smooth the clusters of a result by a vote of each spot's nearest ones; 0 changes nothing."""
    if n_voters and data.coordinates is not None:
        where = (data.coordinates, n_voters, data.pitch, data.batch)
        found.clusters = section_vote(found.clusters, *where)
    return found
