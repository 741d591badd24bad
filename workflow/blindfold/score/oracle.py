"""The upper bound: what the truth itself scores. There is no run, and it is not ranked."""

from __future__ import annotations

import numpy as np

from blindfold.core.layout import Layout
from blindfold.core.truth import read_truth
from blindfold.score.metric import choose_metrics
from blindfold.score.metric_inputs import MetricInputs, applicable_metrics
from blindfold.score.score import is_masked, open_reference, run_key, score_rows
from blindfold.score.tables import marker_table, write_tables


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
    chosen = applicable_metrics(choose_metrics(metrics), truth.known, masked)
    chosen = [metric for metric in chosen if metric.task != "cost"]
    key = run_key(dataset, "oracle", k="truth", seed=0)
    rows, markers = [], []
    if truth.known:
        partition = np.full(len(truth.cells), len(truth.classes), dtype=np.int64)
        partition[truth.labelled] = truth.codes
        inputs = MetricInputs(open_reference(results, dataset, truth, masked), partition, {})
        inputs.imputed = inputs.held_out
        rows = score_rows(key, chosen, inputs)
        counted = {"n_clusters": float(len(truth.classes)), "k_error": 0.0}
        for row in rows:
            row["value"] = counted.get(row["metric"], row["value"])
        markers = [marker_table(key, inputs, truth.classes)]
    write_tables(results, dataset, "oracle", rows, markers)
