"""What a run cost, as its record tells."""

from __future__ import annotations

from typing import Any

from blindfold.score.metric import metric

_REFERENCE = "run.json, measured by the supervisor over the whole process tree"


def _number(record: dict[str, Any], field: str) -> float:
    value = record.get(field)
    return float("nan") if value is None else float(value)


@metric(
    name="wall_s",
    task="cost",
    title="Wall-clock seconds",
    range=(0, None),
    direction="lower",
    reference=_REFERENCE,
)
def wall_s(record: dict[str, Any]) -> float:
    """Return the seconds from the start of the process to its end, imports included."""
    return _number(record, "wall_s")


@metric(
    name="cpu_s",
    task="cost",
    title="CPU seconds",
    range=(0, None),
    direction="lower",
    reference=_REFERENCE,
)
def cpu_s(record: dict[str, Any]) -> float:
    """Return the user and system seconds of the process tree."""
    return _number(record, "cpu_s")


@metric(
    name="fit_s",
    task="cost",
    title="Seconds of fitting",
    range=(0, None),
    direction="lower",
    reference=_REFERENCE,
)
def fit_s(record: dict[str, Any]) -> float:
    """Return the seconds inside the method's ``fit``, snapshots not counted."""
    return _number(record, "fit_s")


@metric(
    name="peak_rss_mb",
    task="cost",
    title="Peak memory, MiB",
    range=(0, None),
    direction="lower",
    reference=_REFERENCE,
)
def peak_rss_mb(record: dict[str, Any]) -> float:
    """Return the largest resident memory of the process tree."""
    return _number(record, "peak_rss_mb")


@metric(
    name="peak_gpu_mb",
    task="cost",
    title="Peak GPU memory, MiB",
    range=(0, None),
    direction="lower",
    reference=_REFERENCE,
)
def peak_gpu_mb(record: dict[str, Any]) -> float:
    """Return the largest device memory; NaN on the CPU."""
    return _number(record, "peak_gpu_mb")
