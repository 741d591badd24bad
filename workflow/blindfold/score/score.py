"""Score the runs of one method on one dataset against the hidden labels."""

from __future__ import annotations

from typing import Any

from blindfold.core import io
from blindfold.core.expression import read_expression
from blindfold.core.layout import Layout
from blindfold.core.log import track
from blindfold.core.methods import split_variant
from blindfold.core.run_files import read_partition, read_record, read_snapshots
from blindfold.core.truth import Truth, read_truth
from blindfold.score.held_out import read_held_out, read_imputed
from blindfold.score.metric import Metric, choose_metrics
from blindfold.score.metric_inputs import MetricInputs, Reference, applicable_metrics, evaluate
from blindfold.score.tables import marker_table, write_tables


def score(
    results: Layout,
    dataset: str,
    method: str,
    runs: list[tuple[str, int]],
    metrics: str | list[str] = "all",
) -> None:
    """Write the metric values and the markers of one method's runs on one dataset.

    Every run leaves one row per metric with its status; values of a run that did not end ``ok``
    are NaN, but for the cost that was measured. Only runs that kept the partition their training
    began with have rows of its metrics. Unlabelled cells are masked.

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
    truth = read_truth(results, dataset)
    masked = is_masked(results, dataset)
    chosen = applicable_metrics(choose_metrics(metrics), truth.known, masked)
    reference: Reference | None = None
    rows, markers = [], []
    for k, seed in track(runs, f"score {dataset} {method}"):
        record = read_record(results, dataset, method, k, seed)
        key = run_key(dataset, method, k, seed)
        if record["status"] != "ok":
            rows += _failed_rows(key, chosen, record)
            continue
        reference = reference or open_reference(results, dataset, truth, masked)
        folder = results.run(dataset, method, k, seed)
        partition, names = read_partition(folder / "clusters.parquet", truth.cells)
        initial = read_snapshots(folder / "snapshots.parquet", truth.cells).get(0)
        inputs = MetricInputs(reference, partition, record, initial)
        if reference.held_out is not None:
            inputs.imputed = read_imputed(folder / "imputed.h5ad", reference.held_out)
        rows += score_rows(key, chosen, inputs)
        markers.append(marker_table(key, inputs, names))
    write_tables(results, dataset, method, rows, markers)


def is_masked(results: Layout, dataset: str) -> bool:
    """Tell whether entries were held out of a dataset, so that runs impute."""
    return bool(io.read_json(results.card(dataset)).get("task") == "imputation")


def open_reference(results: Layout, dataset: str, truth: Truth, masked: bool) -> Reference:
    """Read the expression that markers are found in, and what was held out of it."""
    expression = read_expression(results.input(dataset), truth.cells)
    if not masked:
        return Reference(truth, expression)
    genes = expression.var_names.to_numpy(dtype=str)
    return Reference(truth, expression, read_held_out(results, dataset, truth.cells, genes))


def run_key(dataset: str, method: str, k: str, seed: int) -> dict[str, Any]:
    """Return the columns that name a run."""
    name, variant = split_variant(method)
    return {"dataset": dataset, "method": name, "variant": variant, "k": str(k), "seed": int(seed)}


def score_rows(
    key: dict[str, Any], metrics: list[Metric], inputs: MetricInputs
) -> list[dict[str, Any]]:
    """Return one row per metric of a run that ended ``ok``."""
    known = inputs.initial_partition is not None
    asked = [metric for metric in metrics if known or not metric.of_initial]
    return [_row(key, metric, evaluate(metric, inputs), "ok") for metric in asked]


def _failed_rows(
    key: dict[str, Any], metrics: list[Metric], record: dict[str, Any]
) -> list[dict[str, Any]]:
    """Return one row per metric of a run without a result; what it cost is still known."""
    rows = []
    for metric in (metric for metric in metrics if not metric.of_initial):
        value = metric.function(record) if metric.task == "cost" else float("nan")
        rows.append(_row(key, metric, value, record["status"]))
    return rows


def _row(key: dict[str, Any], metric: Metric, value: float, status: str) -> dict[str, Any]:
    return {**key, "task": metric.task, "metric": metric.name, "value": value, "status": status}
