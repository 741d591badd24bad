"""How much of the markers of the true classes each method's clusters recover."""

from __future__ import annotations

import pandas as pd

from blindfold.compare import columns
from blindfold.compare.benchmark import Benchmark
from blindfold.compare.columns import Column
from blindfold.compare.reference import is_method, reference_values
from blindfold.compare.tables.summary import summarise

TITLE, ORDER, FILTERS, WITH = "Recovery of markers", 70, ["dataset"], "n"
NOTE = (
    "How much of the top 20 marker genes of the true classes the matched clusters recover (mean "
    "Jaccard index), beside what random labels get."
)
COLUMNS = {
    **columns.GROUP,
    "metric": Column("metric of task markers"),
    "n": Column("seeds with a value", "Runs"),
    "mean": Column("mean over seeds", "Overlap"),
    **columns.INTERVAL,
    "random_floor": Column("mean of random labels on the same dataset", "Random floor"),
    "above_floor": Column("mean less the floor", "Above the floor"),
    "oracle": Column("what the truth itself gets"),
}


def build(benchmark: Benchmark) -> pd.DataFrame:
    """Return the recovery of true markers beside what random labels and the oracle get."""
    table = summarise(benchmark.scores[benchmark.scores["task"] == "markers"])
    table = table.drop(columns=["task", "sd"])
    random, oracle = is_method(table, "random_labels"), is_method(table, "oracle")
    table["random_floor"] = reference_values(table, random, ["dataset", "k", "metric"], "mean")
    table["above_floor"] = table["mean"] - table["random_floor"]
    table["oracle"] = reference_values(table, oracle, ["dataset", "metric"], "mean")
    return table[~oracle].reset_index(drop=True)
