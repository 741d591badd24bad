"""Held-out entries guessed: every method beside the gene mean and the neighbours' mean."""

from __future__ import annotations

import numpy as np
import pandas as pd

from blindfold.compare.benchmark import GROUP, Benchmark
from blindfold.compare.reference import is_method, reference_values
from blindfold.compare.summary import summarise

BEST = {"l1_median": "lower", "l1_mean": "lower", "rmse": "lower", "cosine": "higher"}
"""Which end of each metric is the better one."""

REFERENCES = ["gene_mean", "neighbour_mean"]
"""What every method stands beside."""

COLUMNS = [
    *GROUP, "metric", "best", "rank", "n", "failed", "mean", "ci_low", "ci_high", *REFERENCES,
    *(f"beats_{name}" for name in REFERENCES),
]  # fmt: skip


def imputation_table(benchmark: Benchmark) -> pd.DataFrame:
    """Return the imputation scores of every method on every masked dataset.

    Parameters
    ----------
    benchmark
        Runs and scores.

    Returns
    -------
    pandas.DataFrame
        One row per dataset, method, k and metric; ``mean`` and its interval over the seeds that
        ended ``ok``, on the scale log(1 + count). ``rank`` is 1 for the best, whichever end of
        the metric that is; a method with a failed run counts as worst, as no finite error says
        what a missing answer is ranked_error. Methods that do not impute, and the oracle, are left
        out. ``beats_*`` is empty for the reference itself and where there is none.
    """
    scores = benchmark.scores
    imputed = scores[(scores["task"] == "imputation") & (scores["method"] != "oracle")]
    imputed = imputed[imputed["status"] != "unavailable"]
    if imputed.empty:
        return pd.DataFrame(columns=COLUMNS)
    key, panel = [*GROUP, "metric"], ["dataset", "k", "metric"]
    failed = imputed.assign(failed=imputed["status"] != "ok").groupby(key)["failed"].sum()
    table = summarise(imputed).merge(failed.reset_index(), on=key)
    table["best"] = table["metric"].map(BEST)
    # turned so that less is better; a failure is worse than any result
    error = table["mean"].where(table["best"] == "lower", -table["mean"])
    ranked_error = error.mask(table["failed"] > 0, np.inf)
    table["rank"] = ranked_error.round(12).groupby([table[name] for name in panel]).rank()
    for name in REFERENCES:
        chosen = is_method(table, name)
        table[name] = reference_values(table, chosen, panel, "mean")
        beats = ranked_error < reference_values(table.assign(error=error), chosen, panel, "error")
        comparable = (table["method"] != name) & table[name].notna()
        table[f"beats_{name}"] = beats.astype(object).where(comparable, None)
    orders = {"dataset": benchmark.datasets, "metric": list(BEST)}
    return table.sort_values(
        ["dataset", "k", "metric", "rank", "method", "variant"],
        key=lambda column: (
            column.map(orders[column.name].index) if column.name in orders else column
        ),
    )[COLUMNS].reset_index(drop=True)
