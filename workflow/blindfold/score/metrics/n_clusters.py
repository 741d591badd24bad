"""The number of clusters, and how far it is from that of the classes."""

from __future__ import annotations

import numpy as np

from blindfold.score.metric import metric


@metric(
    task="clustering",
    title="Number of clusters found",
    range=(1, None),
    direction="none",
    source="none",
)
def n_clusters(partition: np.ndarray) -> float:
    """Return how many clusters the whole dataset falls into, unlabelled cells included."""
    return float(len(np.unique(partition)))


@metric(
    task="clustering",
    title="Clusters found too many or too few",
    range=(0, None),
    direction="lower",
    source="absolute difference of n_clusters and the number of classes",
)
def k_error(partition: np.ndarray, truth: np.ndarray) -> float:
    """Return how far the number of clusters, unlabelled cells included, is from the classes'."""
    return float(abs(len(np.unique(partition)) - len(np.unique(truth))))
