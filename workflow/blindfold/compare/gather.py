"""Everything that earlier steps left, completed so that no planned run is lost."""

from __future__ import annotations

import json
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pandas as pd

from blindfold.core import io
from blindfold.core.errors import BlindfoldError
from blindfold.core.layout import Layout
from blindfold.core.methods import split_variant
from blindfold.core.plan import Plan, PlannedRun, read_plan

KEY = ["dataset", "method", "variant", "k", "seed"]
GROUP = ["dataset", "method", "variant", "k"]

_FACTS = [
    "n_clusters", "wall_s", "cpu_s", "fit_s", "peak_rss_mb", "peak_gpu_mb", "device", "threads",
    "attempt", "exit", "sandbox", "started", "ended",
]  # fmt: skip
_WHOLE = ["n_clusters", "threads", "attempt", "derived_seed"]
_SCORES = [*KEY, "task", "metric", "value", "status"]


@dataclass(frozen=True)
class Material:
    """What comparing starts from.

    Parameters
    ----------
    plan
        The planned runs and the cards.
    runs
        One row per planned run: its record, or ``killed`` with the reason "no record".
    scores
        The long table of metric values of planned runs and of the oracle.
    """

    plan: Plan
    runs: pd.DataFrame
    scores: pd.DataFrame

    @property
    def results(self) -> Layout:
        """The benchmark's files."""
        return self.plan.layout

    @property
    def audits(self) -> dict[str, str]:
        """What the preparation of some datasets did that no blind one may do, by dataset."""
        return {name: card.audit for name, card in self.plan.datasets.items() if card.audit}

    def is_control(self, method: str) -> bool:
        """Whether a method's card calls it a control: a bound, not a competitor."""
        cards = (planned for planned in self.plan.methods.values())
        return any(split_variant(p.name)[0] == method and p.card.control for p in cards)

    def wide(self) -> pd.DataFrame:
        """Return one row per planned run with its metric values (task cost left out)."""
        values = self.scores[(self.scores["task"] != "cost") & (self.scores["method"] != "oracle")]
        table = values.pivot(index=KEY, columns="metric", values="value").reset_index()
        for metric in ("ari", "nmi"):
            if metric not in table:
                table[metric] = float("nan")
        columns = [*KEY, "status", "reason"]
        return self.runs[columns].merge(table, on=KEY, how="left", validate="one_to_one")


def gather(results: Layout) -> Material:
    """Read the plan, every record and every score table.

    Raises
    ------
    BlindfoldError
        Where a file is missing that must be there, or is damaged.
    """
    plan = read_plan(results.root)
    runs = pd.DataFrame([_run_row(results, run) for run in plan.runs])
    runs = runs.astype(dict.fromkeys(_WHOLE, "Int64"))
    return Material(plan, runs, _read_scores(plan, runs))


def label(method: str, variant: str) -> str:
    """Return the name that tables and figures show: ``sctag`` or ``sctag@released``."""
    return method if variant == "described" else f"{method}@{variant}"


def read_parquet(path: Path) -> pd.DataFrame:
    """Read a table.

    Raises
    ------
    BlindfoldError
        Where the file is damaged.
    """
    try:
        return pd.read_parquet(path)
    except Exception as error:
        raise BlindfoldError(
            "cannot read the table: truncated or damaged", file=path,
            found=f"{type(error).__name__}: {str(error).splitlines()[0]}", expected="parquet",
            remedy="delete it and run again",
        ) from error  # fmt: skip


def _run_row(results: Layout, run: PlannedRun) -> dict[str, Any]:
    """Return one planned run with what its record says."""
    method, variant = split_variant(run.method)
    path = results.record(run.dataset, run.method, run.k, run.seed)
    record = io.read_json(path) if path.is_file() else {}
    params = record.get("params") or {}
    scheduler = record.get("scheduler") or {}
    return {
        "dataset": run.dataset,
        "method": method,
        "variant": variant,
        "k": run.k,
        "seed": run.seed,
        "status": record.get("status", "killed"),
        "reason": record.get("reason") if record else "no record",
        **{fact: record.get(fact) for fact in _FACTS},
        "lease": " ".join(str(device) for device in record.get("lease") or []),
        "job_id": scheduler.get("job_id"),
        "k_rule": (record.get("notes") or {}).get("k_rule"),
        "derived_seed": params.get("seed"),
        "params": json.dumps(params, sort_keys=True),
    }


def _read_scores(plan: Plan, runs: pd.DataFrame) -> pd.DataFrame:
    """Return the score rows of planned runs, and of the oracle, in a fixed order."""
    paths = [
        plan.layout.scores(dataset, method)
        for dataset in plan.datasets
        for method in [*plan.methods, "oracle"]
    ]
    tables = [read_parquet(path) for path in paths if path.is_file()]
    filled = [table for table in tables if len(table)]
    if not filled:
        empty = pd.DataFrame({column: pd.Series(dtype=object) for column in _SCORES})
        _refuse_unscored(plan, runs, empty)
        return empty
    scores = pd.concat(filled, ignore_index=True)[_SCORES]
    planned = pd.MultiIndex.from_frame(runs[KEY])
    wanted = pd.MultiIndex.from_frame(scores[KEY]).isin(planned) | (scores["method"] == "oracle")
    _refuse_unscored(plan, runs, scores)
    return scores[wanted].reset_index(drop=True)


def _refuse_unscored(plan: Plan, runs: pd.DataFrame, scores: pd.DataFrame) -> None:
    """Refuse a run that ended ``ok`` but has no row: it would silently miss from every mean."""
    fine = runs.loc[runs["status"] == "ok", KEY]
    scored = pd.MultiIndex.from_frame(scores[KEY])
    lost = fine[~pd.MultiIndex.from_frame(fine).isin(scored)]
    if len(lost):
        first = lost.iloc[0]
        method = label(first["method"], first["variant"])
        raise BlindfoldError(
            f"{len(lost)} runs ended ok but are not scored",
            file=plan.layout.scores(first["dataset"], method),
            field=f"k {first['k']}, seed {first['seed']}",
            remedy="delete the file and run score again",
        )
