"""Normalised mutual information."""

from __future__ import annotations

import numpy as np

from blindfold.score.metric import metric


@metric(
    name="nmi",
    task="clustering",
    title="Normalised mutual information",
    range=(0, 1),
    direction="higher",
    reference="Vinh, Epps & Bailey (2010), JMLR 11, 2837-2854",
)
def nmi(truth: np.ndarray, clusters: np.ndarray) -> float:
    """Return the mutual information over the arithmetic mean of both entropies.

    Not corrected for chance: many clusters raise it. Symmetric.
    """
    from sklearn.metrics import normalized_mutual_info_score

    return float(normalized_mutual_info_score(truth, clusters, average_method="arithmetic"))
