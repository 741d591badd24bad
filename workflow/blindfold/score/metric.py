"""What a metric is, and which there are: one pure function each, with the facts that explain it.

They are found by looking in the folder ``metrics``. Imports no heavy library.
"""

from __future__ import annotations

import importlib
import inspect
import pkgutil
from collections.abc import Callable
from dataclasses import dataclass
from typing import Literal

from blindfold.core.errors import BlindfoldError, did_you_mean
from blindfold.score import metrics as folder

Task = Literal["clustering", "embedding", "spatial", "markers", "imputation", "integration", "cost"]
Direction = Literal["higher", "lower", "none"]


@dataclass(frozen=True)
class Metric:
    """A metric.

    Parameters
    ----------
    name
        Lower case; the ``metric`` column.
    task
        The ``task`` column.
    title
        A few words.
    range
        Lowest and highest possible value; None where there is no bound.
    direction
        Whether higher or lower is better; ``none`` where neither is.
    reference
        Where it was defined.
    function
        A pure function. The names of its arguments say what it is given, see `MetricInputs`;
        one that takes no hidden label is scored on unlabelled datasets too.
    """

    name: str
    task: Task
    title: str
    range: tuple[float | None, float | None]
    direction: Direction
    reference: str
    function: Callable[..., float]

    @property
    def needs(self) -> tuple[str, ...]:
        """What the function must be given."""
        return tuple(inspect.signature(self.function).parameters)

    @property
    def label_free(self) -> bool:
        """Whether the metric can be computed without the hidden labels."""
        return not {"truth", "truth_markers", "matching"} & set(self.needs)

    @property
    def of_initial(self) -> bool:
        """Whether the metric judges the clusters that training began with; few runs keep them."""
        return "initial_clusters" in self.needs

    def explain(self) -> dict[str, str]:
        """Return what a user wants to know, by heading."""
        low, high = ("unbounded" if bound is None else f"{bound:g}" for bound in self.range)
        best = {"higher": "higher is better", "lower": "lower is better", "none": "neither"}
        return {
            "metric": self.name,
            "title": self.title,
            "task": self.task,
            "range": f"{low} to {high}",
            "direction": best[self.direction],
            "labels": "not needed" if self.label_free else "hidden labels of labelled cells",
            "reference": self.reference,
            "definition": inspect.getdoc(self.function) or "",
        }


def metric(
    *,
    task: Task,
    title: str,
    range: tuple[float | None, float | None],
    direction: Direction,
    reference: str,
) -> Callable[[Callable[..., float]], Callable[..., float]]:
    """Declare a pure function as the metric of its name."""

    def declare(function: Callable[..., float]) -> Callable[..., float]:
        declared = Metric(function.__name__, task, title, range, direction, reference, function)
        function.__dict__["metric"] = declared
        return function

    return declare


def find_metrics() -> dict[str, Metric]:
    """Return every metric by name, in alphabetical order within each task."""
    found: set[Metric] = set()
    for entry in pkgutil.iter_modules(folder.__path__):
        module = importlib.import_module(f"{folder.__name__}.{entry.name}")
        facts = [vars(value) for value in vars(module).values() if inspect.isfunction(value)]
        found |= {each["metric"] for each in facts if "metric" in each}
    return {each.name: each for each in sorted(found, key=lambda each: (each.task, each.name))}


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
    return [each for each in known.values() if each.name in names or each.task == "cost"]
