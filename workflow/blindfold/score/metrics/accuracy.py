"""Accuracy after matching."""

from __future__ import annotations

import numpy as np

from blindfold.core.matching import matched_classes
from blindfold.score.metric import metric


@metric(
    name="accuracy",
    task="clustering",
    title="Accuracy after Hungarian matching",
    range=(0, 1),
    direction="higher",
    reference="Kuhn (1955), Naval Research Logistics Quarterly 2, 83-97",
)
def accuracy(truth: np.ndarray, clusters: np.ndarray, matching: dict[int, int]) -> float:
    """Return the share of cells whose cluster is matched to their class.

    Clusters and classes are matched one to one so that most cells are right; cells in
    clusters left over are wrong.
    """
    predicted = matched_classes(clusters, matching, unmatched=-1)
    return float(np.mean(predicted == truth)) if len(truth) else float("nan")
