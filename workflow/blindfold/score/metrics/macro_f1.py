"""Macro-averaged F1 after matching."""

from __future__ import annotations

import numpy as np

from blindfold.core.matching import matched_classes
from blindfold.score.metric import metric


@metric(
    name="macro_f1",
    task="clustering",
    title="Macro F1 after Hungarian matching",
    range=(0, 1),
    direction="higher",
    reference="van Rijsbergen (1979), Information Retrieval; matching as for accuracy",
)
def macro_f1(truth: np.ndarray, clusters: np.ndarray, matching: dict[int, int]) -> float:
    """Return the mean over classes of the F1 of the matched cluster.

    Every class weighs the same. A class without a cluster of its own has F1 0; clusters
    left over only cost recall.
    """
    from sklearn.metrics import f1_score

    predicted = matched_classes(clusters, matching, unmatched=-1)
    return float(
        f1_score(truth, predicted, labels=np.unique(truth), average="macro", zero_division=0)
    )
