"""Fowlkes-Mallows index."""

from __future__ import annotations

import numpy as np

from blindfold.score.metric import metric


@metric(
    name="fmi",
    task="clustering",
    title="Fowlkes-Mallows index",
    range=(0, 1),
    direction="higher",
    reference="Fowlkes & Mallows (1983), JASA 78, 553-569",
)
def fmi(truth: np.ndarray, clusters: np.ndarray) -> float:
    """Return the geometric mean of pairwise precision and recall. Symmetric."""
    from sklearn.metrics import fowlkes_mallows_score

    return float(fowlkes_mallows_score(truth, clusters))
