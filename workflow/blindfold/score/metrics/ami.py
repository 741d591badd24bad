"""Adjusted mutual information."""

from __future__ import annotations

import numpy as np

from blindfold.score.metric import metric


@metric(
    name="ami",
    task="clustering",
    title="Adjusted mutual information",
    range=(-1, 1),
    direction="higher",
    reference="Vinh, Epps & Bailey (2010), JMLR 11, 2837-2854",
)
def ami(truth: np.ndarray, clusters: np.ndarray) -> float:
    """Return the mutual information corrected for chance, over the arithmetic mean of entropies.

    0 is what a random partition with the same sizes is expected to get. Symmetric.
    """
    from sklearn.metrics import adjusted_mutual_info_score

    return float(adjusted_mutual_info_score(truth, clusters, average_method="arithmetic"))
