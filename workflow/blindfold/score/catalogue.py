"""The metrics there are: found by looking in the folder ``metrics``. Imports no heavy library."""

from __future__ import annotations

import importlib
import pkgutil

from blindfold.core.errors import BlindfoldError, did_you_mean
from blindfold.score import metrics as folder
from blindfold.score.metric import Metric, declared


def find_metrics() -> dict[str, Metric]:
    """Return every metric by name, in alphabetical order within each task."""
    found = []
    for module in sorted(entry.name for entry in pkgutil.iter_modules(folder.__path__)):
        loaded = importlib.import_module(f"{folder.__name__}.{module}")
        values = [declared(value) for value in vars(loaded).values()]
        found += [value for value in values if value is not None]
    found.sort(key=lambda metric: (metric.task, metric.name))
    return {metric.name: metric for metric in found}


def choose_metrics(wanted: str | list[str]) -> list[Metric]:
    """Return the metrics that a configuration asks for; cost is always among them.

    Parameters
    ----------
    wanted
        ``"all"``, or names.

    Raises
    ------
    BlindfoldError
        For an unknown name; the nearest one is suggested.
    """
    known = find_metrics()
    if wanted == "all":
        return list(known.values())
    names = [wanted] if isinstance(wanted, str) else wanted
    for name in names:
        if name not in known:
            raise BlindfoldError(
                f"unknown metric {name!r}", field="metrics", remedy=did_you_mean(name, known)
            )
    return [metric for metric in known.values() if metric.name in names or metric.task == "cost"]


def explain_metric(name: str) -> dict[str, str]:
    """Return what ``blindfold explain`` prints about a metric, by heading.

    Raises
    ------
    BlindfoldError
        For an unknown name; the nearest one is suggested.
    """
    known = find_metrics()
    if name not in known:
        raise BlindfoldError(f"unknown metric {name!r}", remedy=did_you_mean(name, known))
    return known[name].explain()
