"""What a metric is: one pure function with the facts that explain it."""

from __future__ import annotations

import inspect
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, Literal

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
        A pure function. The names of its arguments say what it is given, see `Evidence`;
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
    def of_start(self) -> bool:
        """Whether the metric judges the partition that training began with; few methods keep it."""
        return "start" in self.needs

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
    name: str,
    task: Task,
    title: str,
    range: tuple[float | None, float | None],
    direction: Direction,
    reference: str,
) -> Callable[[Callable[..., float]], Callable[..., float]]:
    """Declare a pure function as a metric; it is found by looking in ``score/metrics``."""

    def declare(function: Callable[..., float]) -> Callable[..., float]:
        declared = Metric(name, task, title, range, direction, reference, function)
        function.__dict__["metric"] = declared
        return function

    return declare


def declared(value: Any) -> Metric | None:
    """Return the metric that a module's attribute declares, or None."""
    found = getattr(value, "metric", None) if inspect.isfunction(value) else None
    return found if isinstance(found, Metric) else None
