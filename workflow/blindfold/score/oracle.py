"""The upper bound: what the truth itself scores. There is no run, and it is not ranked."""

from __future__ import annotations

import numpy as np

from blindfold.core import io
from blindfold.core.layout import Layout
from blindfold.score.catalogue import choose_metrics
from blindfold.score.evidence import Evidence, applicable
from blindfold.score.score import is_masked, open_reference, score_rows
from blindfold.score.tables import empty_markers, marker_table, score_table
from blindfold.score.truth import read_truth


def oracle(results: Layout, dataset: str, metrics: str | list[str] = "all") -> None:
    """Write the scores and the markers of the true classes.

    Unlabelled cells form one more group; every metric masks them but the number of clusters and
    its error, which count classes only. An unlabelled dataset gives empty tables.

    Parameters
    ----------
    results
        The benchmark's files.
    dataset
        Name of the dataset.
    metrics
        Names of metrics, or ``"all"``; there is no cost.

    Raises
    ------
    BlindfoldError
        For an unknown metric or a damaged file.
    """
    truth = read_truth(results, dataset)
    masked = is_masked(results, dataset)
    chosen = applicable(choose_metrics(metrics), truth.known, masked)
    chosen = [metric for metric in chosen if metric.task != "cost"]
    key = {"dataset": dataset, "method": "oracle", "variant": "described", "k": "truth", "seed": 0}
    rows, markers = [], empty_markers()
    if truth.known:
        partition = np.full(len(truth.cells), len(truth.classes), dtype=np.int64)
        partition[truth.labelled] = truth.codes
        evidence = Evidence(open_reference(results, dataset, truth, masked), partition, {})
        evidence.imputed = evidence.held_out
        rows = score_rows(key, chosen, evidence)
        counted = {"n_clusters": float(len(truth.classes)), "k_error": 0.0}
        for row in rows:
            row["value"] = counted.get(row["metric"], row["value"])
        markers = marker_table(key, evidence, truth.classes)
    io.write_parquet(results.scores(dataset, "oracle"), score_table(rows))
    io.write_parquet(results.markers(dataset, "oracle"), markers)
