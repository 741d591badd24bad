"""Error of the number of clusters."""

from __future__ import annotations

import numpy as np

from blindfold.score.metric import metric


@metric(
    name="k_error",
    task="clustering",
    title="Clusters found too many or too few",
    range=(0, None),
    direction="lower",
    reference="absolute difference of n_clusters and the number of classes",
)
def k_error(partition: np.ndarray, truth: np.ndarray) -> float:
    """Return how far the number of clusters, unlabelled cells included, is from the classes'."""
    return float(abs(len(np.unique(partition)) - len(np.unique(truth))))
