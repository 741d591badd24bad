"""The table of marker genes: those of the true classes and of each method's clusters."""

from __future__ import annotations

from dataclasses import asdict

import pandas as pd

from blindfold.compare.benchmark import KEY, Benchmark, row_keys
from blindfold.compare.representative_run import representative_runs
from blindfold.core import io
from blindfold.core.tables import MARKERS, RUN, empty_table

TOP = 20


def deg_table(benchmark: Benchmark) -> pd.DataFrame:
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
