"""A finished benchmark: its plan, its runs and their scores, so that no planned run is lost."""

from __future__ import annotations

import json
from dataclasses import dataclass
from typing import Any

import pandas as pd

from blindfold.core import io
from blindfold.core.errors import BlindfoldError
from blindfold.core.layout import Layout
from blindfold.core.methods import display_name, split_variant
from blindfold.core.plan import Plan, PlannedRun, read_plan
from blindfold.core.protections import in_a_table
from blindfold.core.run_files import read_record
from blindfold.core.tables import EPOCHS, RUN, SCORES, empty_table

KEY = list(RUN)
GROUP = KEY[:-1]
"""What is the same for all seeds."""

_FACTS = [
    "n_clusters", "wall_s", "cpu_s", "fit_s", "peak_rss_mb", "peak_gpu_mb", "device", "threads",
    "attempt", "exit", "sandbox", "started", "ended",
]  # fmt: skip
_WHOLE = ["n_clusters", "threads", "attempt", "derived_seed"]


@dataclass(frozen=True)
class Benchmark:
    """A finished benchmark.

    Parameters
    ----------
    plan
        The planned runs and the cards.
    runs
        One row per planned run: its record, or ``killed`` with the reason "no record".
    scores
        The long table of metric values of planned runs and of the oracle.
    epochs
        The long table of metric values of partitions that planned runs kept in training.
    metrics
        The facts of each metric that was scored, by name.
    """

    plan: Plan
    runs: pd.DataFrame
    scores: pd.DataFrame
    epochs: pd.DataFrame
    metrics: dict[str, dict[str, Any]]

    @property
    def results(self) -> Layout:
        """The benchmark's files."""
        return self.plan.layout

    @property
    def datasets(self) -> list[str]:
        """Planned datasets, in the order of the configuration."""
        return list(self.plan.datasets)

    @property
    def audits(self) -> dict[str, str]:
        """What the preparation of some datasets did that no blind one may do, by dataset."""
        return {name: card.audit for name, card in self.plan.datasets.items() if card.audit}

    @property
    def fidelity(self) -> dict[str, str]:
        """How near each method is to what its authors published, in a word."""
        planned = self.plan.methods.values()
        return {split_variant(m.name)[0]: m.card.fidelity.word for m in planned}

    @property
    def controls(self) -> set[str]:
        """Methods that are bounds, not competitors, as their cards say."""
        planned = self.plan.methods.values()
        return {split_variant(method.name)[0] for method in planned if method.card.control}

    def dataset_facts(self, dataset: str) -> dict[str, Any]:
        """Return what ``card.json`` says of a dataset; nothing where it was not blinded."""
        path = self.results.card(dataset)
        return io.read_json(path) if path.is_file() else {}

    def runs_with_scores(self) -> pd.DataFrame:
        """Return one row per planned run with a column per metric (task cost left out)."""
        values = self.scores[(self.scores["task"] != "cost") & (self.scores["method"] != "oracle")]
        table = values.pivot(index=KEY, columns="metric", values="value").reset_index()
        for metric in ("ari", "nmi"):
            if metric not in table:
                table[metric] = float("nan")
        columns = [*KEY, "status", "reason"]
        return self.runs[columns].merge(table, on=KEY, how="left", validate="one_to_one")


def read_benchmark(results: Layout) -> Benchmark:
    """Read the plan, every record and every score table.

    Raises
    ------
    BlindfoldError
        Where a file is missing that must be there, or is damaged.
    """
    plan = read_plan(results.root)
    runs = pd.DataFrame([_run_row(results, run) for run in plan.runs])
    runs = runs.astype(dict.fromkeys(_WHOLE, "Int64"))
    scores, metrics = _read_scores(plan, runs)
    return Benchmark(plan, runs, scores, _read_epochs(plan, runs), metrics)


def with_names(table: pd.DataFrame) -> pd.DataFrame:
    """Return a table with the display names of its methods in a first column ``name``."""
    names = list(map(display_name, table["method"], table["variant"]))
    return table.assign(name=names)[["name", *table.columns]]


def row_keys(table: pd.DataFrame, columns: list[str]) -> pd.MultiIndex:
    """Return some columns of every row as an index, to look rows up by."""
    return pd.MultiIndex.from_frame(table[columns])


def _run_row(results: Layout, run: PlannedRun) -> dict[str, Any]:
    """Return one planned run with what its record says."""
    method, variant = split_variant(run.method)
    record = read_record(results, run.dataset, run.method, run.k, run.seed)
    params = record.get("params") or {}
    return {
        "dataset": run.dataset,
        "method": method,
        "variant": variant,
        "k": run.k,
        "seed": run.seed,
        "status": record["status"],
        "reason": record.get("reason"),
        **{fact: record.get(fact) for fact in _FACTS},
        "sandbox": in_a_table(record["sandbox"]) if record.get("sandbox") else None,
        "lease": " ".join(str(device) for device in record.get("lease") or []),
        "job_id": (record.get("scheduler") or {}).get("job_id"),
        "k_rule": (record.get("notes") or {}).get("k_rule"),
        "derived_seed": params.get("seed"),
        "params": json.dumps(params, sort_keys=True),
    }


def _read_scores(plan: Plan, runs: pd.DataFrame) -> tuple[pd.DataFrame, dict[str, dict[str, Any]]]:
    """Return the score rows of planned runs and of the oracle, and the facts of their metrics.

    Raises
    ------
    BlindfoldError
        Where a run that ended ``ok`` has no row: it would silently miss from every mean.
    """
    methods = [*plan.methods, "oracle"]
    paths = [plan.layout.scores(dataset, method) for dataset in plan.datasets for method in methods]
    tables = [io.read_parquet(path, SCORES) for path in paths if path.is_file()]
    metrics: dict[str, dict[str, Any]] = {}
    for table in tables:
        if "metrics" not in table.attrs:
            raise BlindfoldError(
                "scores of an older version, without the facts of their metrics",
                file=plan.layout.root / "scores", remedy="blindfold rescore --results FOLDER",
            )  # fmt: skip
        metrics |= table.attrs.pop("metrics")
    scores = pd.concat([empty_table(SCORES), *tables], ignore_index=True)
    succeeded = runs[runs["status"] == "ok"]
    lost = succeeded[~row_keys(succeeded, KEY).isin(row_keys(scores, KEY))]
    if len(lost):
        first = lost.iloc[0]
        method = display_name(first["method"], first["variant"])
        raise BlindfoldError(
            f"{len(lost)} runs ended ok but are not scored",
            file=plan.layout.scores(first["dataset"], method),
            field=f"k {first['k']}, seed {first['seed']}",
            remedy="delete the file and run score again",
        )
    planned = row_keys(scores, KEY).isin(row_keys(runs, KEY)) | (scores["method"] == "oracle")
    return scores[planned].reset_index(drop=True), metrics


def _read_epochs(plan: Plan, runs: pd.DataFrame) -> pd.DataFrame:
    """Return the metric values of partitions kept in training, of planned runs."""
    at = plan.layout
    paths = [at.epochs(dataset, method) for dataset in plan.datasets for method in plan.methods]
    tables = [io.read_parquet(path, EPOCHS) for path in paths if path.is_file()]
    epochs = pd.concat([empty_table(EPOCHS), *tables], ignore_index=True)
    return epochs[row_keys(epochs, KEY).isin(row_keys(runs, KEY))].reset_index(drop=True)
