"""Spatial smoothing of a finished partition."""

from __future__ import annotations

import numpy as np

from methods.shared.graph import spatial_knn


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
