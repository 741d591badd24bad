"""What a metric is, and which there are: one pure function each, with the facts that explain it.

They are found by looking in the folder ``metrics``. Imports no heavy library. What compares
methods with each other is no metric but a table of `compare`.
"""

from __future__ import annotations

import importlib
import inspect
import pkgutil
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

from blindfold.core.errors import BlindfoldError, did_you_mean
from blindfold.score import metrics as folder
from blindfold.score.evidence import EVIDENCE, KEPT_BY_FEW, LABEL_FREE, Evidence

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
    source
        Where it was defined.
    function
        A pure function. The names of its arguments say what it is given, see `EVIDENCE`; one that
        takes nothing made from hidden labels is scored on unlabelled datasets too.
    """

    name: str
    task: Task
    title: str
    range: tuple[float | None, float | None]
    direction: Direction
    source: str
    function: Callable[..., float]

    @property
    def needs(self) -> set[str]:
        """What the function must be given."""
        return set(inspect.signature(self.function).parameters)

    @property
    def label_free(self) -> bool:
        """Whether the metric is known not to need the hidden labels."""
        return self.needs <= LABEL_FREE

    @property
    def of_partition(self) -> bool:
        """Whether the metric compares a partition with the classes, and so any snapshot too."""
        return self.needs == {"truth", "clusters"}

    @property
    def known_of_failures(self) -> bool:
        """Whether a run without a result is known to lack a value."""
        return not self.needs & KEPT_BY_FEW

    def evaluate(self, evidence: Evidence) -> float | None:
        """Return the value, or None where the run did not leave what the metric needs."""
        given = {name: getattr(evidence, name) for name in self.needs}
        missing = any(value is None for value in given.values())
        return None if missing else float(self.function(**given))

    @property
    def facts(self) -> dict[str, Any]:
        """What is to be known of the metric's values; it travels with the scores."""
        return {
            "task": self.task, "title": self.title, "direction": self.direction,
            "lowest": self.range[0], "highest": self.range[1], "needs": sorted(self.needs),
            "source": self.source,
        }  # fmt: skip

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
            "source": self.source,
            "needs": ", ".join(sorted(self.needs)),
            "definition": inspect.getdoc(self.function) or "",
        }


def metric(
    *,
    task: Task,
    title: str,
    range: tuple[float | None, float | None],
    direction: Direction,
    source: str,
) -> Callable[[Callable[..., float]], Callable[..., float]]:
    """Declare a pure function as the metric of its name.

    Raises
    ------
    BlindfoldError
        Where the function asks for what no run can be asked for; the nearest name is suggested.
    """

    def declare(function: Callable[..., float]) -> Callable[..., float]:
        declared = Metric(function.__name__, task, title, range, direction, source, function)
        for need in sorted(declared.needs - EVIDENCE.keys()):
            where = f"metric {declared.name!r} in {Path(inspect.getfile(function)).name}"
            meant = did_you_mean(need, EVIDENCE)
            raise BlindfoldError(f"{where} asks for {need!r}, which no run leaves: {meant}")
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
