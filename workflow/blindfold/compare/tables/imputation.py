"""Held-out entries guessed: every method beside the gene mean and the neighbours' mean."""

from __future__ import annotations

import numpy as np
import pandas as pd

from blindfold.compare import columns
from blindfold.compare.benchmark import GROUP, Benchmark
from blindfold.compare.columns import Column
from blindfold.compare.reference import is_method, reference_values
from blindfold.compare.tables.summary import summarise

REFERENCES = ["gene_mean", "neighbour_mean"]
"""What every method stands beside."""

TITLE, ORDER, FILTERS = "Imputation", 20, ["metric", "dataset"]
NOTE = (
    "At entries that were held out before anything was derived from the counts, all methods on "
    "the scale log(1 + count). A method with a failed run ranks last. Every constant gets a cosine "
    "near 1: read it beside the gene mean."
)
COLUMNS = {
    **columns.GROUP,
    "metric": Column("metric of task imputation", "Metric"),
    "best": Column("whether lower or higher is better", "Better"),
    "rank": Column("rank from 1; a method with a failed run is last", "Rank", digits=1),
    "n": Column("seeds that ended ok", "Runs ok"),
    "failed": Column("runs that failed", "Failed"),
    "mean": Column("mean over seeds, on the scale log(1 + count)", "Mean"),
    **columns.INTERVAL,
    "gene_mean": Column("what the mean of each gene gets", "Gene mean"),
    "neighbour_mean": Column("what the mean of the nearest neighbours gets", "Neighbour mean"),
    "beats_gene_mean": Column("whether it ranks above the gene mean", "Beats gene mean"),
    "beats_neighbour_mean": Column(
        "whether it ranks above the neighbours' mean", "Beats neighbour mean"
    ),
}


def build(benchmark: Benchmark) -> pd.DataFrame:
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
        return pd.DataFrame(columns=list(COLUMNS))
    key, panel = [*GROUP, "metric"], ["dataset", "k", "metric"]
    failed = imputed.assign(failed=imputed["status"] != "ok").groupby(key)["failed"].sum()
    table = summarise(imputed).merge(failed.reset_index(), on=key)
    table["best"] = table["metric"].map(lambda name: benchmark.metrics[name]["direction"])
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
    metrics = [name for name in benchmark.metrics if name in set(table["metric"])]
    orders = {"dataset": benchmark.datasets, "metric": metrics}
    return table.sort_values(
        ["dataset", "k", "metric", "rank", "method", "variant"],
        key=lambda column: (
            column.map(orders[column.name].index) if column.name in orders else column
        ),
    )[list(COLUMNS)].reset_index(drop=True)
