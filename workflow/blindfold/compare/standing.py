"""How methods stand: the rows of the ranking that figures show, in the order they show them."""

from __future__ import annotations

import numpy as np
import pandas as pd

from blindfold.compare.gather import label
from blindfold.compare.view import View


def standing(view: View) -> tuple[pd.DataFrame, list[str]]:
    """Return the ranking rows shown, and the methods in order, controls last."""
    ranking = view.ranking
    wanted = [
        (ranking["dataset"] == dataset) & (ranking["k"] == view.k(dataset))
        for dataset in view.material.plan.datasets
    ]
    table = ranking[np.logical_or.reduce(wanted)].copy()
    table.insert(0, "name", list(map(label, table["method"], table["variant"])))
    overall = ranking[ranking["dataset"] == "overall"].drop_duplicates(["method", "variant"])
    overall = overall.sort_values(["control", "rank"], na_position="last", kind="stable")
    return table, list(map(label, overall["method"], overall["variant"]))
