"""Completeness."""

from __future__ import annotations

import numpy as np

from blindfold.score.metric import metric


@metric(
    name="completeness",
    task="clustering",
    title="Completeness",
    range=(0, 1),
    direction="higher",
    reference="Rosenberg & Hirschberg (2007), EMNLP-CoNLL, 410-420",
)
def completeness(truth: np.ndarray, clusters: np.ndarray) -> float:
    """Return how far each class lies in one cluster: 1 - H(cluster | class) / H(cluster).

    A single cluster is complete. Swapping truth and clusters gives homogeneity.
    """
    from sklearn.metrics import completeness_score

    return float(completeness_score(truth, clusters))
