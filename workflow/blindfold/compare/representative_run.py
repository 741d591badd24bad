"""Which run stands for a method where only one can be shown."""

from __future__ import annotations

from dataclasses import dataclass

from blindfold.compare.benchmark import GROUP, Benchmark
from blindfold.core.methods import display_name


@dataclass(frozen=True)
class RepresentativeRun:
    """The run that tables and figures show for one method on one dataset.

    Parameters
    ----------
    dataset, method, variant, k
        The method's runs.
    seed
        The run with the (lower) median ARI among those that ended ``ok``; None without any.
    ari
        Its ARI; NaN on unlabelled data.
    failures
        How many runs ended how, to be said where none ended ``ok``.
    """

    dataset: str
    method: str
    variant: str
    k: str
    seed: int | None
    ari: float
    failures: str

    @property
    def name(self) -> str:
        """Name in figures, and in paths."""
        return display_name(self.method, self.variant)


def main_k(benchmark: Benchmark, dataset: str) -> str:
    """Return the k that figures show: ``truth`` where planned, else the first planned."""
    planned = [run.k for run in benchmark.plan.runs if run.dataset == dataset]
    return "truth" if "truth" in planned else planned[0]


def representative_runs(benchmark: Benchmark) -> list[RepresentativeRun]:
    """Return the run to show for every dataset, k and method that applies."""
    chosen = []
    for key, part in benchmark.runs_with_scores().groupby(GROUP, sort=True):
        if (part["status"] == "unavailable").all():
            continue
        succeeded = part[part["status"] == "ok"].sort_values(["ari", "seed"], na_position="last")
        median = succeeded.iloc[(len(succeeded) - 1) // 2] if len(succeeded) else None
        counts = part["status"].value_counts().sort_index()
        chosen.append(
            RepresentativeRun(
                **dict(zip(GROUP, key, strict=True)),
                seed=None if median is None else int(median["seed"]),
                ari=float("nan") if median is None else float(median["ari"]),
                failures=", ".join(f"{status} x {count}" for status, count in counts.items()),
            )
        )
    return chosen


def list_seeds(runs: list[RepresentativeRun]) -> str:
    """Return which seed each method is shown by, as a caption says it."""
    seeds = [f"{run.name} {run.seed}" for run in runs if run.seed is not None]
    return "seeds: " + ", ".join(seeds) if seeds else "no run ended ok"
