"""Which run stands for a method where only one can be shown."""

from __future__ import annotations

from dataclasses import dataclass

import pandas as pd

from blindfold.compare.gather import GROUP, KEY, Material, label


@dataclass(frozen=True)
class Shown:
    """The run that tables and figures show for one method on one dataset.

    Parameters
    ----------
    dataset, method, variant, k
        The method's runs.
    seed
        The run with the (lower) median ARI among those that ended ``ok``; None without any.
    ari
        Its ARI; NaN on unlabelled data.
    why
        What is to be said where no run ended ``ok``: the statuses.
    control
        Whether the method is a control.
    """

    dataset: str
    method: str
    variant: str
    k: str
    seed: int | None
    ari: float
    why: str
    control: bool

    @property
    def label(self) -> str:
        """Name in figures, and in paths."""
        return label(self.method, self.variant)


def main_k(material: Material, dataset: str) -> str:
    """Return the k that figures show: ``truth`` where planned, else the first planned."""
    planned = list(dict.fromkeys(run.k for run in material.plan.runs if run.dataset == dataset))
    return "truth" if "truth" in planned else planned[0]


def shown_runs(material: Material) -> list[Shown]:
    """Return the run to show for every dataset, k and method; unavailable ones are left out."""
    shown = []
    for key, part in material.wide().groupby(GROUP, sort=True):
        if (part["status"] == "unavailable").all():
            continue
        fine = part[part["status"] == "ok"].sort_values(["ari", "seed"], na_position="last")
        middle = fine.iloc[(len(fine) - 1) // 2] if len(fine) else None
        counts = part["status"].value_counts().sort_index()
        shown.append(
            Shown(
                **dict(zip(GROUP, key, strict=True)),
                seed=None if middle is None else int(middle["seed"]),
                ari=float("nan") if middle is None else float(middle["ari"]),
                why=", ".join(f"{status} x {count}" for status, count in counts.items()),
                control=material.is_control(key[1]),
            )
        )
    return shown


def shown_in(material: Material, dataset: str, ranking: pd.DataFrame) -> list[Shown]:
    """Return the runs to show on one dataset with its main k: best rank first, controls last."""
    k = main_k(material, dataset)
    here = ranking[(ranking["dataset"] == dataset) & (ranking["k"].astype(str) == k)]
    ranks = {
        (row.method, row.variant): float(row.rank) if row.rank == row.rank else 1e9
        for row in here.itertuples()
    }
    runs = [run for run in shown_runs(material) if run.dataset == dataset and run.k == k]
    return sorted(runs, key=lambda r: (r.control, ranks.get((r.method, r.variant), 1e9), r.label))


def shown_keys(material: Material) -> pd.DataFrame:
    """Return dataset, method, variant, k and seed of every run to show."""
    rows = [
        {name: getattr(run, name) for name in KEY}
        for run in shown_runs(material)
        if run.seed is not None
    ]
    return pd.DataFrame(rows, columns=KEY)


def seeds(runs: list[Shown]) -> str:
    """Say which seed each method is shown by."""
    told = [f"{run.label} {run.seed}" for run in runs if run.seed is not None]
    return "seeds: " + ", ".join(told) if told else "no run ended ok"
