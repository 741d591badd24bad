"""Score the runs of one method on one dataset against the hidden labels."""

from __future__ import annotations

from typing import Any

import numpy as np

from blindfold.core import io
from blindfold.core.expression import read_expression
from blindfold.core.layout import Layout
from blindfold.core.log import track
from blindfold.core.methods import split_variant
from blindfold.core.run_files import read_partition, read_snapshots, verified_record
from blindfold.core.truth import read_truth
from blindfold.score.evidence import Evidence, Reference
from blindfold.score.held_out import read_held_out, read_imputed
from blindfold.score.metric import Metric, choose_metrics
from blindfold.score.tables import Scored, marker_table, write_tables


def score(
    results: Layout,
    dataset: str,
    method: str,
    runs: list[tuple[str, int]],
    metrics: str | list[str] = "all",
) -> None:
    """Write the metric values and the markers of one method's runs on one dataset.

    Every run leaves one row per metric with its status; values of a run that did not end ``ok``
    are NaN, but for the cost that was measured. A metric of what a run did not leave, such as an
    embedding, has no row. Unlabelled cells are masked. Partitions that were kept in training are
    scored too, in a table of their own.

    Parameters
    ----------
    results
        The benchmark's files.
    dataset, method
        Names; the method as in paths, such as ``sctag@released``.
    runs
        Pairs of ``<k>`` and ``<seed>``: every planned run.
    metrics
        Names of metrics, or ``"all"``.

    Raises
    ------
    BlindfoldError
        For an unknown metric, a damaged file, or clusters that lack a cell.
    """
    records = {run: verified_record(results, dataset, method, *run) for run in runs}
    succeeded = any(record["status"] == "ok" for record in records.values())
    reference = open_reference(results, dataset, normalised=succeeded)
    chosen = [each for each in choose_metrics(metrics) if reference.can_give(each.needs)]
    cells, scored = reference.truth.cells, Scored(chosen)
    partitions = {
        run: read_partition(results.run(dataset, method, *run) / "clusters.parquet", cells)
        for run, record in records.items()
        if record["status"] == "ok"
    }
    for run, record in track(list(records.items()), f"score {dataset} {method}"):
        key = run_key(dataset, method, *run)
        if run not in partitions:
            scored.rows += _failed_rows(key, chosen, record)
            continue
        (partition, names), folder = partitions[run], results.run(dataset, method, *run)
        others = [p for other, (p, _) in partitions.items() if other[0] == run[0] and other != run]
        kept = read_snapshots(folder / "snapshots.parquet", cells)
        held_out, imputed = reference.held_out, None
        if held_out is not None:
            imputed = read_imputed(folder / "imputed.h5ad", held_out)
        evidence = Evidence(reference, partition, record, folder, kept, others, imputed)
        scored.rows += score_rows(key, chosen, evidence)
        scored.markers.append(marker_table(key, reference, evidence, names))
        scored.epochs += _epoch_rows(key, chosen, reference, kept)
    write_tables(results, dataset, method, scored)


def open_reference(results: Layout, dataset: str, normalised: bool = True) -> Reference:
    """Read what all runs on a dataset are compared with.

    Where none ended ``ok``, only what the dataset has is asked, and expression need not be
    normalised, which would load a heavy library.
    """
    truth, path = read_truth(results, dataset), results.input(dataset)
    every_cell = read_expression(path, truth.cells) if normalised else io.read_h5ad(path)
    held_out = None
    if io.read_json(results.card(dataset)).get("task") == "imputation":
        genes = every_cell.var_names.to_numpy(dtype=str)
        held_out = read_held_out(results, dataset, truth.cells, genes)
    return Reference(truth, every_cell, held_out, path)


def run_key(dataset: str, method: str, k: str, seed: int) -> dict[str, Any]:
    """Return the columns that name a run."""
    name, variant = split_variant(method)
    return {"dataset": dataset, "method": name, "variant": variant, "k": str(k), "seed": int(seed)}


def score_rows(
    key: dict[str, Any], metrics: list[Metric], evidence: Evidence
) -> list[dict[str, Any]]:
    """Return one row per metric that the run left the evidence for."""
    values = ((metric, metric.evaluate(evidence)) for metric in metrics)
    return [_row(key, metric, value, "ok") for metric, value in values if value is not None]


def _failed_rows(
    key: dict[str, Any], metrics: list[Metric], record: dict[str, Any]
) -> list[dict[str, Any]]:
    """Return one row per metric of a run without a result; what it cost is still known."""
    rows = []
    for metric in (metric for metric in metrics if metric.known_of_failures):
        value = metric.function(record) if metric.task == "cost" else float("nan")
        rows.append(_row(key, metric, value, record["status"]))
    return rows


def _epoch_rows(
    key: dict[str, Any], metrics: list[Metric], reference: Reference, kept: dict[int, np.ndarray]
) -> list[dict[str, Any]]:
    """Return one row per partition kept in training and metric of a partition."""
    truth = reference.truth
    return [
        {**key, "epoch": epoch, "metric": metric.name, "value": value}
        for epoch, codes in kept.items()
        for metric in metrics
        if metric.of_partition
        for value in [metric.function(truth=truth.codes, clusters=codes[reference.mask])]
    ]


def _row(key: dict[str, Any], metric: Metric, value: float, status: str) -> dict[str, Any]:
    return {**key, "task": metric.task, "metric": metric.name, "value": value, "status": status}
