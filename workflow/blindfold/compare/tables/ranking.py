"""Rankings on each dataset and overall, in which failures count as worst."""

from __future__ import annotations

from typing import Any

import numpy as np
import pandas as pd

from blindfold.compare import columns
from blindfold.compare.benchmark import GROUP, Benchmark
from blindfold.compare.bootstrap import generator, hierarchical_interval, seed_interval
from blindfold.compare.columns import Column
from blindfold.compare.reference import is_method, reference_values

TITLE, ORDER, FILTERS = "Ranking", 10, ["dataset"]
NOTE = (
    "Failed runs count as the worst possible ARI (-0.5) in the ranks; means and intervals are over "
    "the runs that ended ok. Overall, methods are ranked by their mean relative rank on the "
    "datasets they apply to, which need not be the same for all; audits count only where there is "
    "nothing else. Intervals: bootstrap over seeds, overall over datasets, then seeds. Scaled: 0 "
    "at random labels, 1 at the oracle. The baseline is smoothed PCA with k-means on tissues, PCA "
    "with k-means on cells."
)
COLUMNS = {
    "dataset": Column("name of the dataset, or overall", "Dataset"),
    "k": columns.GROUP["k"],
    "rank": Column("rank from 1; equal values share the mean of their ranks", "Rank", digits=1),
    **columns.METHOD,
    "control": Column("whether it is a bound, not a competitor", "", words=("control", "")),
    "mean_ari": Column("mean ARI over the runs that ended ok", "ARI"),
    **columns.INTERVAL,
    "mean_nmi": Column("mean NMI over the runs that ended ok", "NMI"),
    "scaled": Column("mean ARI, 0 at random labels and 1 at the oracle", "Scaled"),
    "ranked_ari": Column("mean ARI in which a failed run counts as -0.5; decides the rank"),
    "relative_rank": Column("0 for the first and 1 for the last; overall its mean decides"),
    "datasets": Column("datasets that the method runs on"),
    "planned": Column("planned runs"),
    "ok": Column("runs that ended ok", "Runs ok"),
    "failed": Column("runs that failed", "Failed"),
    "unavailable": Column("runs of a method that does not apply", "n/a"),
    "beats_smoothed_pca": Column(
        "whether it ranks above (smoothed) PCA with k-means; empty where there is nothing to say",
        "Beats the baseline",
    ),
}

WORST = -0.5
"""Lower bound of ARI: what a run without a result counts in the ranks, so below any result."""

BASELINE = {"spatial": "smoothed_pca_kmeans", "scrna": "pca_kmeans"}
"""What a method has to beat."""

_COUNTS = ["datasets", "planned", "ok", "failed", "unavailable"]
_MEANS = ["mean_ari", "mean_nmi", "scaled", "ranked_ari", "relative_rank"]


def build(benchmark: Benchmark) -> pd.DataFrame:
    """Return the ranking overall and on each dataset.

    Parameters
    ----------
    benchmark
        Runs and scores.

    Returns
    -------
    pandas.DataFrame
        One row per dataset (and ``overall``), k and method. ``mean_ari``, its interval and
        ``mean_nmi`` are over the runs that ended ``ok``; ``ranked_ari`` counts every failed
        run as `WORST` and decides the rank; ``unavailable`` runs count nowhere. ``scaled`` is
        0 at the mean of ``random_labels`` and 1 at the oracle. ``relative_rank`` is 0 for the
        first and 1 for the last of a dataset; its mean over the datasets that a method runs on
        decides the overall rank. Equal values share the mean of their ranks. Audits, whose
        preparation no blind one may follow, do not count overall, unless there is nothing else.
        ``beats_smoothed_pca`` is empty for controls and where there is nothing to compare with.
    """
    rows = _dataset_rows(benchmark)
    blind = rows[~rows["dataset"].isin(benchmark.audits)]
    counted = rows if blind.empty else blind
    parts = counted.groupby(["k", "method", "variant"], sort=True)
    overall = pd.DataFrame([_overall_row(part) for _, part in parts])
    overall["rank"] = overall.groupby("k")["relative_rank"].transform(_ascending)
    both = pd.concat([overall, rows], ignore_index=True)
    order = {name: position for position, name in enumerate(["overall", *benchmark.datasets])}
    both = both.assign(_order=both["dataset"].map(order))
    both = both.sort_values(["_order", "k", "rank", "method", "variant"], na_position="last")
    return both[list(COLUMNS)].reset_index(drop=True)


def _dataset_rows(benchmark: Benchmark) -> pd.DataFrame:
    """Return one row per dataset, k and method, ranked within dataset and k."""
    parts = benchmark.runs_with_scores().groupby(GROUP, sort=True)
    rows = pd.DataFrame([_dataset_row(key, part) for key, part in parts])
    rows["control"] = rows["method"].isin(benchmark.controls)
    panel = ["dataset", "k"]
    worth = rows.assign(worth=-rows["ranked_ari"]).groupby(panel)["worth"]
    rows["rank"] = worth.transform(_ascending)
    rows["relative_rank"] = rows.groupby(panel)["rank"].transform(_relative)
    random = reference_values(rows, is_method(rows, "random_labels"), panel, "mean_ari")
    rows["scaled"] = (rows["mean_ari"] - random) / (1 - random)
    rows["beats_smoothed_pca"] = _beats_baseline(benchmark, rows)
    return rows


def _dataset_row(key: tuple[str, ...], part: pd.DataFrame) -> dict[str, Any]:
    """Summarise the runs of one method on one dataset with one k."""
    ok, unavailable = part["status"] == "ok", part["status"] == "unavailable"
    values = part.loc[ok, "ari"].to_numpy(float)
    failed = int((~ok & ~unavailable).sum())
    low, high = seed_interval(values, generator(*key, "ari"))
    return {
        **dict(zip(GROUP, key, strict=True)),
        "mean_ari": _mean(values),
        "ci_low": low,
        "ci_high": high,
        "mean_nmi": _mean(part.loc[ok, "nmi"].to_numpy(float)),
        "ranked_ari": _mean(np.concatenate([values, np.full(failed, WORST)])),
        "datasets": int(not unavailable.all()),
        "planned": len(part),
        "ok": int(ok.sum()),
        "failed": failed,
        "unavailable": int(unavailable.sum()),
        "_values": values,
    }


def _overall_row(part: pd.DataFrame) -> dict[str, Any]:
    """Summarise one method with one k over the datasets it runs on."""
    first = part.iloc[0]
    low, high = hierarchical_interval(
        list(part["_values"]), generator("overall", first.method, first.variant, first.k)
    )
    verdicts = part["beats_smoothed_pca"].dropna()
    return {
        "dataset": "overall",
        **first[["k", "method", "variant", "control"]],
        "ci_low": low,
        "ci_high": high,
        "beats_smoothed_pca": bool(verdicts.all()) if len(verdicts) else None,
        **part[_COUNTS].sum(),
        **{name: _mean(part[name].to_numpy(float)) for name in _MEANS},
    }


def _mean(values: np.ndarray) -> float:
    finite = values[np.isfinite(values)]
    return float(finite.mean()) if len(finite) else float("nan")


def _ascending(values: pd.Series) -> pd.Series:
    """Rank from 1, the smallest first; equal to 1e-12 is a tie, NaN gets no rank."""
    return values.round(12).rank(method="average")


def _relative(ranks: pd.Series) -> pd.Series:
    """Return ranks from 0 (first) to 1 (last)."""
    return (ranks - 1) / max(ranks.count() - 1, 1)


def _beats_baseline(benchmark: Benchmark, rows: pd.DataFrame) -> pd.Series:
    """Return whether methods are above (smoothed) PCA with k-means; None without a comparison."""
    cards = benchmark.plan.datasets
    baseline = rows["dataset"].map(lambda name: BASELINE[cards[name].modality])
    chosen = is_method(rows, baseline) & (rows["ok"] > 0)
    other = reference_values(rows, chosen, ["dataset", "k"], "ranked_ari")
    comparable = ~rows["control"] & (rows["method"] != baseline)
    comparable &= rows["ranked_ari"].notna() & other.notna()
    return (rows["ranked_ari"] > other).astype(object).where(comparable, None)
