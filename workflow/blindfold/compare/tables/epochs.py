"""Scores of every partition that was kept in training."""

from __future__ import annotations

import pandas as pd

from blindfold.compare import columns
from blindfold.compare.benchmark import Benchmark
from blindfold.compare.columns import Column

TITLE, ORDER, ON_PAGE = "Epochs", 96, False
COLUMNS = {
    **columns.RUN,
    "epoch": Column("epoch of the partition; 0 is what training began with"),
    "metric": Column("metric of a partition"),
    "value": Column("its value"),
}


def build(benchmark: Benchmark) -> pd.DataFrame:
    """Return one row per run, epoch that was kept, and metric."""
    return benchmark.epochs
