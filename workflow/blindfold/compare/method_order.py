"""The order of methods in figures, with the rows of the ranking that figures show."""

from __future__ import annotations

from typing import NamedTuple

import pandas as pd

from blindfold.compare.figure_data import FigureData


class MethodOrder(NamedTuple):
    """The methods that figures show, in order.

    Parameters
    ----------
    table
        The ranking's rows of the datasets of the plan, each at its main k.
    methods
        Methods in the order of the overall rank, controls last; those that apply somewhere.
    absent
        Methods that apply to none of these datasets, in the same order.
    """

    table: pd.DataFrame
    methods: list[str]
    absent: list[str]

    @property
    def controls(self) -> set[str]:
        """Methods that are bounds, not competitors."""
        return set(self.table.loc[self.table["control"], "name"])

    def note(self) -> str:
        """Return what a caption says of the methods that are not shown."""
        if not self.absent:
            return ""
        names = ", ".join(self.absent)
        return f" Not shown, since they apply to none of these datasets (table of runs): {names}."


def method_order(data: FigureData) -> MethodOrder:
    """Return the order of methods used in figures."""
    ranking = data.ranking
    table = data.at_main_k(ranking)
    overall = ranking[ranking["dataset"] == "overall"].drop_duplicates("name")
    overall = overall.sort_values(["control", "rank"], na_position="last", kind="stable")
    names = overall["name"].tolist()
    # where nothing applies at all, a figure of dashes says more than none
    applied = set(table.loc[table["ok"] + table["failed"] > 0, "name"]) or set(names)
    return MethodOrder(
        table,
        [name for name in names if name in applied],
        [name for name in names if name not in applied],
    )
