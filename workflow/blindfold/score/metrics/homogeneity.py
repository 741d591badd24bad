"""Homogeneity."""

from __future__ import annotations

import numpy as np

from blindfold.score.metric import metric


@metric(
    name="homogeneity",
    task="clustering",
    title="Homogeneity",
    range=(0, 1),
    direction="higher",
    reference="Rosenberg & Hirschberg (2007), EMNLP-CoNLL, 410-420",
)
def homogeneity(truth: np.ndarray, clusters: np.ndarray) -> float:
    """Return how far each cluster holds cells of one class only: 1 - H(class | cluster) / H(class).

    Swapping truth and clusters gives completeness.
    """
    from sklearn.metrics import homogeneity_score

    return float(homogeneity_score(truth, clusters))
