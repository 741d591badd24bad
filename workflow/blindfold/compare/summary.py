"""Summaries over seeds, costs and marker recovery."""

from __future__ import annotations

import numpy as np
import pandas as pd

from blindfold.compare.bootstrap import generator, seed_interval
from blindfold.compare.gather import GROUP, Material

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
    rows = []
    for key, part in scores.groupby([*GROUP, "task", "metric"], sort=True):
        values = part.loc[part["status"] == "ok", "value"].to_numpy(float)
        values = values[np.isfinite(values)]
        low, high = seed_interval(values, generator(*key[:4], key[5]))
        rows.append(
            {
                **dict(zip([*GROUP, "task", "metric"], key, strict=True)),
                "n": len(values),
                "mean": values.mean() if len(values) else np.nan,
                "sd": values.std(ddof=1) if len(values) > 1 else np.nan,
                "ci_low": low,
                "ci_high": high,
            }
        )
    columns = [*GROUP, "task", "metric", "n", "mean", "sd", "ci_low", "ci_high"]
    return pd.DataFrame(rows, columns=columns)


def cost_table(runs: pd.DataFrame) -> pd.DataFrame:
    """Return median and largest cost of the runs that ended ``ok``, in seconds and MiB."""
    groups = [key for key, _ in runs.groupby(GROUP, sort=True)]
    table = pd.DataFrame(groups, columns=GROUP)
    fine = runs[runs["status"] == "ok"].astype(dict.fromkeys(_COST, float))
    by = fine.groupby(GROUP, sort=True)
    counts = by.size().rename("n").reset_index()
    table = table.merge(counts, on=GROUP, how="left").fillna({"n": 0}).astype({"n": int})
    for name in _COST:
        both = by[name].agg(["median", "max"]).add_prefix(f"{name}_").reset_index()
        table = table.merge(both, on=GROUP, how="left")
    return table


def marker_overlap(material: Material) -> pd.DataFrame:
    """Return the recovery of true markers beside what random labels and the oracle get."""
    table = summarise(material.scores[material.scores["task"] == "markers"])
    table = table.drop(columns=["task", "sd"])
    random = _lookup(table[table["method"] == "random_labels"], ["dataset", "k", "metric"])
    best = _lookup(table[table["method"] == "oracle"], ["dataset", "metric"])
    table["random_floor"] = [
        random.get((row.dataset, row.k, row.metric), np.nan) for row in table.itertuples()
    ]
    table["above_floor"] = table["mean"] - table["random_floor"]
    table["oracle"] = [best.get((row.dataset, row.metric), np.nan) for row in table.itertuples()]
    return table[table["method"] != "oracle"].reset_index(drop=True)


def _lookup(table: pd.DataFrame, key: list[str]) -> dict[object, float]:
    return {tuple(row[k] for k in key): row["mean"] for row in table.to_dict("records")}
