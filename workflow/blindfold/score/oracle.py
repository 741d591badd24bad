"""The upper bound: what the truth itself scores. There is no run, and it is not ranked."""

from __future__ import annotations

import numpy as np

from blindfold.core.layout import Layout
from blindfold.score.evidence import Evidence
from blindfold.score.metric import choose_metrics
from blindfold.score.score import open_reference, run_key, score_rows
from blindfold.score.tables import Scored, marker_table, write_tables


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
    reference = open_reference(results, dataset)
    truth = reference.truth
    chosen = [
        metric
        for metric in choose_metrics(metrics)
        if metric.task != "cost" and reference.can_give(metric.needs)
    ]
    key, scored = run_key(dataset, "oracle", k="truth", seed=0), Scored(chosen)
    if truth.known:
        partition = np.full(len(truth.cells), len(truth.classes), dtype=np.int64)
        partition[truth.labelled] = truth.codes
        held_out = reference.held_out
        imputed = None if held_out is None else held_out.values
        evidence = Evidence(reference, partition, {}, imputed=imputed)
        scored.rows = score_rows(key, chosen, evidence)
        counted = {"n_clusters": float(len(truth.classes)), "k_error": 0.0}
        for row in scored.rows:
            row["value"] = counted.get(row["metric"], row["value"])
        scored.markers = [marker_table(key, reference, evidence, truth.classes)]
    write_tables(results, dataset, "oracle", scored)
