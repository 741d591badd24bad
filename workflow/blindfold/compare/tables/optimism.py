"""What choosing by the labels would have claimed."""

from __future__ import annotations

from typing import Any

import pandas as pd

from blindfold.compare import columns
from blindfold.compare.benchmark import GROUP, KEY, Benchmark
from blindfold.compare.columns import Column

TITLE, ORDER, FILTERS = "Optimism", 35, ["dataset"]
NOTE = (
    "ARI of the last epoch, blind, beside what a choice by the labels would have reported: the "
    "best of the partitions kept in training, the best seed, and both. Means over the seeds that "
    "kept partitions (`snapshots` in the configuration), the start not among them."
)
COLUMNS = {
    **columns.GROUP,
    "n": Column("seeds that kept partitions", "Seeds"),
    "kept": Column("partitions kept by a seed, median", "Kept", digits=0),
    "start": Column("mean ARI of the partition that training began with", "Start"),
    "blind": Column("mean ARI of the last epoch", "Last epoch"),
    "best_epoch": Column("mean over seeds of the best ARI among the epochs kept", "Best epoch"),
    "best_seed": Column("ARI of the last epoch of the best seed", "Best seed"),
    "best_both": Column("best ARI among all epochs of all seeds", "Both"),
    "gap": Column("best_epoch less blind", "Gap"),
    "largest_gap": Column("largest gap of a seed", "Largest gap"),
}


def build(benchmark: Benchmark) -> pd.DataFrame:
    """Return one row per dataset, method and K of which partitions were kept."""
    runs = best_epochs(benchmark)
    rows = [_row(key, part) for key, part in runs.groupby(GROUP, sort=True)]
    return pd.DataFrame(rows, columns=list(COLUMNS))


def best_epochs(benchmark: Benchmark) -> pd.DataFrame:
    """Return one row per run that kept partitions: its start, its last epoch and its best.

    Returns
    -------
    pandas.DataFrame
        The run, ``start_ari``, ``start_nmi`` (NaN where none was kept), ``ari`` (the partition
        that counts), ``best_epoch``, ``best_epoch_ari``, ``epochs`` (the last that was kept) and
        ``kept``. Of equally good epochs the first is the best.
    """
    wide = benchmark.epochs.pivot(index=[*KEY, "epoch"], columns="metric", values="value")
    wide = wide.reindex(columns=["ari", "nmi"]).reset_index("epoch")
    start = wide[wide["epoch"] == 0]
    later = wide[wide["epoch"] > 0].sort_values("epoch", kind="stable").sort_index(kind="stable")
    by_run = later.groupby(level=KEY)
    best = by_run.apply(lambda part: part.iloc[part["ari"].argmax()], include_groups=False)
    table = pd.DataFrame(
        {
            "best_epoch": best["epoch"].astype(int), "best_epoch_ari": best["ari"],
            "epochs": by_run["epoch"].max(), "kept": by_run.size(),
            "start_ari": start["ari"], "start_nmi": start["nmi"],
        }
    )  # fmt: skip
    last = benchmark.runs_with_scores().set_index(KEY)["ari"]
    return table.join(last, how="left").reset_index()


def _row(key: tuple[str, ...], part: pd.DataFrame) -> dict[str, Any]:
    """Summarise the seeds of one method on one dataset with one K."""
    gaps = part["best_epoch_ari"] - part["ari"]
    return {
        **dict(zip(GROUP, key, strict=True)),
        "n": len(part),
        "kept": part["kept"].median(),
        "start": part["start_ari"].mean(),
        "blind": part["ari"].mean(),
        "best_epoch": part["best_epoch_ari"].mean(),
        "best_seed": part["ari"].max(),
        "best_both": part["best_epoch_ari"].max(),
        "gap": gaps.mean(),
        "largest_gap": gaps.max(),
    }
