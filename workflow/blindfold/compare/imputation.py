"""Held-out entries guessed: every method beside the gene mean and the neighbours' mean."""

from __future__ import annotations

import numpy as np
import pandas as pd

from blindfold.compare.gather import GROUP, Material
from blindfold.compare.summary import summarise

BEST = {"l1_median": "lower", "l1_mean": "lower", "rmse": "lower", "cosine": "higher"}
"""Which end of each metric is the better one."""

REFERENCES = ["gene_mean", "neighbour_mean"]
"""What every method stands beside."""

COLUMNS = [
    *GROUP, "metric", "best", "rank", "n", "failed", "mean", "ci_low", "ci_high", *REFERENCES,
    *(f"beats_{name}" for name in REFERENCES),
]  # fmt: skip


def imputation_table(material: Material) -> pd.DataFrame:
    """Return the imputation scores of every method on every masked dataset.

    Parameters
    ----------
    material
        Runs and scores.

    Returns
    -------
    pandas.DataFrame
        One row per dataset, method, k and metric; ``mean`` and its interval over the seeds that
        ended ``ok``, on the scale log(1 + count). ``rank`` is 1 for the best, whichever end of
        the metric that is; a method with a failed run counts as worst, as no finite error says
        what a missing answer is worth. Methods that do not impute, and the oracle, are left
        out. ``beats_*`` is empty for the reference itself and where there is none.
    """
    scores = material.scores
    here = scores[(scores["task"] == "imputation") & (scores["method"] != "oracle")]
    here = here[here["status"] != "unavailable"]
    if here.empty:
        return pd.DataFrame(columns=COLUMNS)
    key = [*GROUP, "metric"]
    failed = (here["status"] != "ok").groupby([here[name] for name in key]).sum()
    table = summarise(here).merge(failed.rename("failed").reset_index(), on=key)
    table["best"] = table["metric"].map(BEST)
    table["rank"] = _worth(table).groupby(_panels(table)).rank(method="average")
    for name in REFERENCES:
        table[name] = _reference(table, name)
        table[f"beats_{name}"] = pd.Series(
            [_beats(row, name) for row in table.to_dict("records")], dtype=object
        )
    return _ordered(table, list(material.plan.datasets))[COLUMNS]


def _panels(table: pd.DataFrame) -> list[pd.Series]:
    """Return what is compared among itself: the rows of one dataset, k and metric."""
    return [table["dataset"], table["k"], table["metric"]]


def _worth(table: pd.DataFrame) -> pd.Series:
    """Return means turned so that less is better; a failure is worse than any."""
    turned = table["mean"].where(table["best"] == "lower", -table["mean"]).round(12)
    return turned.mask(table["failed"] > 0, np.inf)


def _reference(table: pd.DataFrame, name: str) -> pd.Series:
    """Return the mean of a method in the same dataset, k and metric."""
    chosen = table[(table["method"] == name) & (table["variant"] == "described")]
    known = chosen.set_index(["dataset", "k", "metric"])["mean"]
    wanted = pd.MultiIndex.from_arrays(_panels(table))
    return pd.Series(known.reindex(wanted).to_numpy(), index=table.index)


def _beats(row: dict[str, float | str], name: str) -> bool | None:
    """Return whether a method is better than a reference, or None without a comparison."""
    own, other = float(row["mean"]), float(row[name])
    if row["method"] == name or np.isnan(other):
        return None
    if row["failed"] or np.isnan(own):
        return False
    return own < other if row["best"] == "lower" else own > other


def _ordered(table: pd.DataFrame, datasets: list[str]) -> pd.DataFrame:
    """Sort by dataset, metric and rank, as the configuration and `BEST` list them."""
    places = {
        "dataset": {name: i for i, name in enumerate(datasets)},
        "metric": {name: i for i, name in enumerate(BEST)},
    }
    return table.sort_values(
        ["dataset", "k", "metric", "rank", "method", "variant"],
        key=lambda column: column.map(places[column.name]) if column.name in places else column,
    ).reset_index(drop=True)
