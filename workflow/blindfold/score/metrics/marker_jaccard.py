"""Recovery of the markers of the true classes."""

from __future__ import annotations

import numpy as np

from blindfold.score.metric import metric

TOP = 20


@metric(
    task="markers",
    title=f"Overlap of the top {TOP} marker genes (Jaccard)",
    range=(0, 1),
    direction="higher",
    source="Jaccard (1912), New Phytologist 11, 37-50; Wilcoxon rank sum as in scanpy",
)
def marker_jaccard(
    truth_markers: dict[int, list[str]],
    cluster_markers: dict[int, list[str]],
    matching: dict[int, int],
) -> float:
    """Return the mean over classes of the Jaccard index of marker sets.

    Markers are the genes with the largest positive Wilcoxon score of a group against the
    rest (counts to 10,000 per cell, log1p). A class is compared with the cluster matched
    to it; a class without one, or whose cluster has no markers (one cell, or nothing to
    compare it with), counts 0. A class of one cell has no markers and is left out; where
    no class has any, the value is NaN. Read it beside the runs of ``random_labels``.
    """
    cluster_of = {label: cluster for cluster, label in matching.items()}
    overlaps = []
    for label, genes in sorted(truth_markers.items()):
        true = set(genes[:TOP])
        found = set(cluster_markers.get(cluster_of.get(label, -1), [])[:TOP])
        if true:
            overlaps.append(len(true & found) / len(true | found))
    return float(np.mean(overlaps)) if overlaps else float("nan")
