"""How many cells are right once every cluster stands for a class."""

from __future__ import annotations

import numpy as np

from blindfold.core.matching import matched_classes
from blindfold.score.metric import metric


@metric(
    task="clustering",
    title="Accuracy after Hungarian matching",
    range=(0, 1),
    direction="higher",
    source="Kuhn (1955), Naval Research Logistics Quarterly 2, 83-97",
)
def accuracy(truth: np.ndarray, clusters: np.ndarray, matching: dict[int, int]) -> float:
    """Return the share of cells whose cluster is matched to their class.

    Clusters and classes are matched one to one so that most cells are right; cells in
    clusters left over are wrong.
    """
    return float(np.mean(matched_classes(clusters, matching, unmatched=-1) == truth))


@metric(
    task="clustering",
    title="Macro F1 after Hungarian matching",
    range=(0, 1),
    direction="higher",
    source="van Rijsbergen (1979), Information Retrieval; matching as for accuracy",
)
def macro_f1(truth: np.ndarray, clusters: np.ndarray, matching: dict[int, int]) -> float:
    """Return the mean over classes of the F1 of the matched cluster.

    Every class weighs the same. A class without a cluster of its own has F1 0; clusters
    left over only cost recall. Of several assignments that put equally many cells right, the
    best by macro F1 counts.
    """
    from sklearn.metrics import f1_score

    predicted = matched_classes(clusters, matching, unmatched=-1)
    return float(
        f1_score(truth, predicted, labels=np.unique(truth), average="macro", zero_division=0)
    )
