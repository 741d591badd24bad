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
    source="run.json, measured by the supervisor over the whole process tree",
)


def _number(costs: dict[str, Any], field: str) -> float:
    value = costs.get(field)
    return float("nan") if value is None else float(value)


@_cost(title="Wall-clock seconds")
def wall_s(costs: dict[str, Any]) -> float:
    """Return the seconds from the start of the process to its end, imports included."""
    return _number(costs, "wall_s")


@_cost(title="CPU seconds")
def cpu_s(costs: dict[str, Any]) -> float:
    """Return the user and system seconds of the process tree."""
    return _number(costs, "cpu_s")


@_cost(title="Seconds of fitting")
def fit_s(costs: dict[str, Any]) -> float:
    """Return the seconds inside the method's ``fit``, snapshots not counted."""
    return _number(costs, "fit_s")


@_cost(title="Peak memory, MiB")
def peak_rss_mb(costs: dict[str, Any]) -> float:
    """Return the largest resident memory of the process tree."""
    return _number(costs, "peak_rss_mb")


@_cost(title="Peak GPU memory, MiB")
def peak_gpu_mb(costs: dict[str, Any]) -> float:
    """Return the largest device memory; NaN on the CPU."""
    return _number(costs, "peak_gpu_mb")
