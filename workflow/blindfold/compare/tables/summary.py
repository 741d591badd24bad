"""Means over seeds of every metric."""

from __future__ import annotations

import numpy as np
import pandas as pd

from blindfold.compare import columns
from blindfold.compare.benchmark import GROUP, Benchmark
from blindfold.compare.bootstrap import generator, seed_interval
from blindfold.compare.columns import Column

TITLE, ORDER, ON_PAGE = "Summary", 98, False
COLUMNS = {
    **columns.GROUP,
    "task": Column("what the metric judges"),
    "metric": Column("name of the metric"),
    "n": Column("seeds with a value"),
    "mean": Column("mean over seeds"),
    "sd": Column("standard deviation over seeds; empty for one"),
    **columns.INTERVAL,
}


def build(benchmark: Benchmark) -> pd.DataFrame:
    """Return means over seeds of every metric of every method, the oracle included."""
    return summarise(benchmark.scores)


def summarise(scores: pd.DataFrame) -> pd.DataFrame:
    """Return mean, standard deviation and bootstrap interval over the seeds that ended ``ok``.

    Parameters
    ----------
    scores
        The long table.

    Returns
    -------
    pandas.DataFrame
        One row per dataset, method, k and metric; ``n`` seeds with a value. One seed has
        neither deviation nor interval; none has no mean either.
    """
    names = [*GROUP, "task", "metric"]
    rows = []
    for key, part in scores.groupby(names, sort=True):
        values = part.loc[part["status"] == "ok", "value"].to_numpy(float)
        values = values[np.isfinite(values)]
        mean = values.mean() if len(values) else np.nan
        sd = values.std(ddof=1) if len(values) > 1 else np.nan
        interval = seed_interval(values, generator(*key[:4], key[5]))
        rows.append([*key, len(values), mean, sd, *interval])
    return pd.DataFrame(rows, columns=[*names, "n", "mean", "sd", "ci_low", "ci_high"])
