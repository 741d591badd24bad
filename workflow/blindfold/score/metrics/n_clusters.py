"""Number of clusters."""

from __future__ import annotations

import numpy as np

from blindfold.score.metric import metric


@metric(
    name="n_clusters",
    task="clustering",
    title="Number of clusters found",
    range=(1, None),
    direction="none",
    reference="none",
)
def n_clusters(partition: np.ndarray) -> float:
    """Return how many clusters the whole dataset falls into, unlabelled cells included."""
    return float(len(np.unique(partition)))
