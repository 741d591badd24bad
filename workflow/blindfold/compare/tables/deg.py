"""The table of marker genes: those of the true classes and of each method's clusters."""

from __future__ import annotations

from dataclasses import asdict

import pandas as pd

from blindfold.compare import columns
from blindfold.compare.benchmark import KEY, Benchmark, row_keys
from blindfold.compare.columns import Column
from blindfold.compare.representative_run import representative_runs
from blindfold.core import io
from blindfold.core.tables import MARKERS, RUN, empty_table

TOP = 20
TITLE, ORDER, ON_PAGE = "Differential expression", 94, False
COLUMNS = {
    **columns.RUN,
    "group": Column("the class for the oracle, the cluster for a method"),
    "rank": Column("place among the genes of the group, from 1"),
    "gene": Column("name of the gene"),
    "score": Column("Wilcoxon rank-sum score, z"),
    "log_fold_change": Column("log2 of the ratio of mean expression, group over rest"),
    "p_value": Column("of the test"),
    "p_adjusted": Column("after Benjamini and Hochberg"),
    "fraction_in": Column("share of the group's cells that express the gene"),
    "fraction_out": Column("share of the other cells that express it"),
    "matched_class": Column("class that the cluster is matched to; empty where there is none"),
}


def build(benchmark: Benchmark) -> pd.DataFrame:
    """Return the best `TOP` marker genes of each class, and of each method's clusters.

    A method is shown by its representative run; the full lists of every run lie in
    ``markers/<dataset>/<method>.parquet``. ``group`` is the class for the oracle and the cluster
    for a method; ``matched_class`` the class that the cluster is matched to.
    """
    methods, results = ["oracle", *benchmark.plan.methods], benchmark.results
    paths = [results.markers(dataset, name) for dataset in benchmark.datasets for name in methods]
    tables = [io.read_parquet(path, MARKERS) for path in paths if path.is_file()]
    table = pd.concat([empty_table(MARKERS), *tables], ignore_index=True)
    runs = [run for run in representative_runs(benchmark) if run.seed is not None]
    shown = pd.DataFrame([asdict(run) for run in runs], columns=KEY).astype(RUN)
    wanted = row_keys(table, KEY).isin(row_keys(shown, KEY)) | (table["method"] == "oracle")
    return table[wanted & (table["rank"] <= TOP)].reset_index(drop=True)
