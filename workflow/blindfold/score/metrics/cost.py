"""What a run cost, as its record tells."""

from __future__ import annotations

from functools import partial
from typing import Any

from blindfold.score.metric import metric

_cost = partial(
    metric,
    task="cost",
    range=(0, None),
    direction="lower",
    reference="run.json, measured by the supervisor over the whole process tree",
)


def _number(record: dict[str, Any], field: str) -> float:
    value = record.get(field)
    return float("nan") if value is None else float(value)


@_cost(title="Wall-clock seconds")
def wall_s(record: dict[str, Any]) -> float:
    """Return the seconds from the start of the process to its end, imports included."""
    return _number(record, "wall_s")


@_cost(title="CPU seconds")
def cpu_s(record: dict[str, Any]) -> float:
    """Return the user and system seconds of the process tree."""
    return _number(record, "cpu_s")


@_cost(title="Seconds of fitting")
def fit_s(record: dict[str, Any]) -> float:
    """Return the seconds inside the method's ``fit``, snapshots not counted."""
    return _number(record, "fit_s")


@_cost(title="Peak memory, MiB")
def peak_rss_mb(record: dict[str, Any]) -> float:
    """Return the largest resident memory of the process tree."""
    return _number(record, "peak_rss_mb")


@_cost(title="Peak GPU memory, MiB")
def peak_gpu_mb(record: dict[str, Any]) -> float:
    """Return the largest device memory; NaN on the CPU."""
    return _number(record, "peak_gpu_mb")
