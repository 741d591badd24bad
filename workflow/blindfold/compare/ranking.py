"""Rankings on each dataset and overall, in which failures count as worst."""

from __future__ import annotations

from typing import Any

import numpy as np
import pandas as pd

from blindfold.compare.bootstrap import generator, hierarchical_interval, seed_interval
from blindfold.compare.gather import GROUP, Material

WORST = -0.5
"""Lower bound of ARI: what a run without a result counts in the ranks, so below any result."""

REFERENCE = {"spatial": "smoothed_pca_kmeans", "scrna": "pca_kmeans"}
"""What a method has to beat."""

COLUMNS = [
    "dataset", "k", "rank", "method", "variant", "control", "mean_ari", "ci_low", "ci_high",
    "mean_nmi", "scaled", "ranked_ari", "relative_rank", "datasets", "planned", "ok", "failed",
    "unavailable", "beats_smoothed_pca",
]  # fmt: skip


def rank(material: Material) -> pd.DataFrame:
    """Return the ranking overall and on each dataset.

    Parameters
    ----------
    material
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
    rows = _dataset_rows(material)
    if rows.empty:
        return pd.DataFrame(columns=COLUMNS)
    blind = rows[~rows["dataset"].isin(material.audits)]
    counted = rows if blind.empty else blind
    overall = pd.DataFrame([_overall_row(part) for _, part in _grouped(counted)])
    overall["rank"] = overall.groupby("k")["relative_rank"].transform(_ascending)
    both = pd.concat([overall, rows], ignore_index=True)
    names = ["overall", *material.plan.datasets]
    both["_order"] = both["dataset"].map({name: i for i, name in enumerate(names)})
    both = both.sort_values(["_order", "k", "rank", "method", "variant"], na_position="last")
    return both[COLUMNS].reset_index(drop=True)


def _grouped(rows: pd.DataFrame) -> Any:
    return rows.groupby(["k", "method", "variant"], sort=True)


def _dataset_rows(material: Material) -> pd.DataFrame:
    """Return one row per dataset, k and method, ranked within dataset and k."""
    wide = material.wide()
    rows = pd.DataFrame(
        [_dataset_row(material, key, part) for key, part in wide.groupby(GROUP, sort=True)]
    )
    rows["rank"] = (-rows["ranked_ari"]).groupby([rows["dataset"], rows["k"]]).transform(_ascending)
    rows["relative_rank"] = rows.groupby(["dataset", "k"])["rank"].transform(_relative)
    keyed = dict(list(rows.groupby(["dataset", "k"])))
    rows["scaled"] = [_scaled(row, keyed[row.dataset, row.k]) for row in rows.itertuples()]
    rows["beats_smoothed_pca"] = pd.Series(
        [_beats(row, keyed[row.dataset, row.k], material) for row in rows.itertuples()],
        dtype=object,
    )
    return rows


def _dataset_row(material: Material, key: Any, part: pd.DataFrame) -> dict[str, Any]:
    """Summarise the runs of one method on one dataset with one k."""
    dataset, method, variant, k = key
    ok, unavailable = part["status"] == "ok", part["status"] == "unavailable"
    values = part.loc[ok, "ari"].to_numpy(float)
    failed = int((~ok & ~unavailable).sum())
    low, high = seed_interval(values, generator(*key, "ari"))
    return {
        "dataset": dataset,
        "k": k,
        "method": method,
        "variant": variant,
        "control": material.is_control(method),
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
    verdicts = [bool(verdict) for verdict in part["beats_smoothed_pca"] if verdict is not None]
    counts = {name: int(part[name].sum()) for name in _COUNTS}
    means = {name: _mean(part[name].to_numpy(float)) for name in _MEANS}
    return {
        "dataset": "overall",
        "k": first.k,
        "method": first.method,
        "variant": first.variant,
        "control": first.control,
        "ci_low": low,
        "ci_high": high,
        "beats_smoothed_pca": all(verdicts) if verdicts else None,
        **counts,
        **means,
    }


_COUNTS = ["datasets", "planned", "ok", "failed", "unavailable"]
_MEANS = ["mean_ari", "mean_nmi", "scaled", "ranked_ari", "relative_rank"]


def _mean(values: np.ndarray) -> float:
    finite = values[np.isfinite(values)]
    return float(finite.mean()) if len(finite) else float("nan")


def _ascending(values: pd.Series) -> pd.Series:
    """Rank from 1, the smallest first; equal to 1e-12 is a tie, NaN gets no rank."""
    return values.round(12).rank(method="average")


def _relative(ranks: pd.Series) -> pd.Series:
    """Return ranks from 0 (first) to 1 (last)."""
    return (ranks - 1) / max(ranks.count() - 1, 1)


def _scaled(row: Any, others: pd.DataFrame) -> float:
    """Return the mean ARI where random labels are 0 and the oracle is 1."""
    random = others.loc[others["method"] == "random_labels", "mean_ari"]
    if random.empty or np.isnan(random.iloc[0]):
        return float("nan")
    return float((row.mean_ari - random.iloc[0]) / (1 - random.iloc[0]))


def _beats(row: Any, others: pd.DataFrame, material: Material) -> bool | None:
    """Return whether a method is above (smoothed) PCA with k-means, or None."""
    name = REFERENCE[material.plan.datasets[row.dataset].modality]
    chosen = others[(others["method"] == name) & (others["variant"] == "described")]
    comparable = not chosen.empty and chosen["ok"].iloc[0] > 0 and np.isfinite(row.ranked_ari)
    if row.control or row.method == name or not comparable:
        return None
    return bool(row.ranked_ari > chosen["ranked_ari"].iloc[0])
