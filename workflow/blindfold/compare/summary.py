"""Summaries over seeds, costs and marker recovery."""

from __future__ import annotations

import numpy as np
import pandas as pd

from blindfold.compare.benchmark import GROUP, Benchmark
from blindfold.compare.bootstrap import generator, seed_interval
from blindfold.compare.reference import is_method, reference_values

_COST = ["wall_s", "cpu_s", "fit_s", "peak_rss_mb", "peak_gpu_mb"]


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


def cost_table(runs: pd.DataFrame) -> pd.DataFrame:
    """Return median and largest cost of the runs that ended ``ok``, in seconds and MiB."""
    ok = runs["status"] == "ok"
    groups = [runs[name] for name in GROUP]
    cost = runs[_COST].astype(float).where(ok).groupby(groups, sort=True).agg(["median", "max"])
    cost.columns = ["_".join(names) for names in cost.columns]
    cost.insert(0, "n", ok.groupby(groups, sort=True).sum())
    return cost.reset_index()


def marker_overlap(benchmark: Benchmark) -> pd.DataFrame:
    """Return the recovery of true markers beside what random labels and the oracle get."""
    table = summarise(benchmark.scores[benchmark.scores["task"] == "markers"])
    table = table.drop(columns=["task", "sd"])
    random, oracle = is_method(table, "random_labels"), is_method(table, "oracle")
    table["random_floor"] = reference_values(table, random, ["dataset", "k", "metric"], "mean")
    table["above_floor"] = table["mean"] - table["random_floor"]
    table["oracle"] = reference_values(table, oracle, ["dataset", "metric"], "mean")
    return table[~oracle].reset_index(drop=True)
