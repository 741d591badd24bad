"""How methods stand: the rows of the ranking that figures show, in the order they show them."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
import pandas as pd

from blindfold.compare.gather import label
from blindfold.compare.view import View


class Standing(NamedTuple):
    """How methods stand on the datasets shown.

    Parameters
    ----------
    table
        The ranking's rows of these datasets.
    methods
        Methods in the order of the overall rank, controls last; those that apply somewhere.
    absent
        Methods that apply to none of these datasets, in the same order.
    """

    table: pd.DataFrame
    methods: list[str]
    absent: list[str]

    def note(self) -> str:
        """Return what a caption says of the methods that are not shown."""
        if not self.absent:
            return ""
        names = ", ".join(self.absent)
        return f" Not shown, since they apply to none of these datasets (table of runs): {names}."


def standing(view: View) -> Standing:
    """Return how methods stand on the datasets of the plan, each at its main k."""
    ranking = view.ranking
    wanted = [
        (ranking["dataset"] == dataset) & (ranking["k"] == view.k(dataset))
        for dataset in view.material.plan.datasets
    ]
    table = ranking[np.logical_or.reduce(wanted)].copy()
    table.insert(0, "name", list(map(label, table["method"], table["variant"])))
    overall = ranking[ranking["dataset"] == "overall"].drop_duplicates(["method", "variant"])
    overall = overall.sort_values(["control", "rank"], na_position="last", kind="stable")
    names = list(map(label, overall["method"], overall["variant"]))
    # where nothing applies at all, a figure of dashes says more than none
    applied = set(table.loc[table["ok"] + table["failed"] > 0, "name"]) or set(names)
    return Standing(
        table,
        [name for name in names if name in applied],
        [name for name in names if name not in applied],
    )
