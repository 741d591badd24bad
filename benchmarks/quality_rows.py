"""The rows of a quality table: one finished run each."""

from __future__ import annotations

import csv
import io as text
import subprocess
from pathlib import Path
from typing import Any

import numpy as np

from blindfold.core import io
from blindfold.core.layout import REPOSITORY, Layout
from blindfold.core.methods import split_variant
from blindfold.core.plan import PlannedRun
from blindfold.core.run_files import read_partition, read_record, read_snapshots
from blindfold.core.truth import Truth, read_truth
from blindfold.score.metrics.agreement import ari, nmi
from methods.shared.graphs.sections import majority_vote

COLUMNS = (
    "dataset", "method", "variant", "seed", "ari", "nmi", "n_clusters", "start_ari", "start_nmi",
    "best_epoch", "best_epoch_ari", "epochs", "fit_s", "peak_rss_mb", "status", "commit", "date",
    "refined_ari", "refined_nmi",
)  # fmt: skip
REFINED = 18  # nearest spots of the vote: two rings of a hexagonal lattice


Key = tuple[str, str, str, int]
"""Dataset, method, variant and seed: what a row must not be repeated for."""


def finished(run: PlannedRun | dict[str, Any]) -> Key:
    """Return the key of a planned run or of a row."""
    if isinstance(run, dict):
        return run["dataset"], run["method"], run["variant"], int(run["seed"])
    return (run.dataset, *split_variant(run.method), run.seed)


def standing(table: Path) -> list[dict[str, Any]]:
    """Return the rows of the table as text, columns it lacks empty; none without a table."""
    if not table.is_file():
        return []
    with table.open(newline="") as lines:
        return [{name: row.get(name, "") for name in COLUMNS} for row in csv.DictReader(lines)]


def append(table: Path, row: dict[str, Any]) -> None:
    """Add a row; the table is replaced in one step."""
    written = text.StringIO()
    writer = csv.DictWriter(written, COLUMNS, lineterminator="\n")
    writer.writeheader()
    writer.writerows([*standing(table), row])
    io.write_text(table, written.getvalue())


def row(at: Layout, run: PlannedRun) -> dict[str, Any]:
    """Return the row of a run that left a record; scores are empty unless it ended ``ok``."""
    record = read_record(at, run.dataset, run.method, run.k, run.seed)
    values: dict[str, Any] = {
        **dict(zip(COLUMNS[:4], finished(run), strict=True)),
        "status": record["status"],
        "n_clusters": record.get("n_clusters"),
        "fit_s": _rounded(record.get("fit_s"), 1),
        "peak_rss_mb": _rounded(record.get("peak_rss_mb"), 0),
        "commit": commit(),
        "date": record["ended"][:10],
    }
    if record["status"] == "ok":
        folder = at.run(run.dataset, run.method, run.k, run.seed)
        values |= scores(folder, read_truth(at, run.dataset), places(at.input(run.dataset)))
    return {name: values.get(name) for name in COLUMNS}


def places(path: Path) -> np.ndarray | None:
    """Return the coordinates of an input's spots; None for cells."""
    found = io.read_h5ad(path).obsm.get("spatial")
    return None if found is None else np.asarray(found)


def scores(folder: Path, truth: Truth, coordinates: np.ndarray | None) -> dict[str, Any]:
    """Score the final partition; where snapshots were kept, also the start and the best epoch.

    The start is what the method began with, snapshot 0; it is not a candidate for the best epoch.
    Of spots also the partition after a majority vote of near ones is scored.
    """
    clusters, _ = read_partition(folder / "clusters.parquet", truth.cells)
    found = _both(truth, clusters)
    values: dict[str, Any] = {"ari": found[0], "nmi": found[1]}
    if coordinates is not None:
        found = _both(truth, majority_vote(clusters, coordinates, REFINED))
        values |= {"refined_ari": found[0], "refined_nmi": found[1]}
    parts = read_snapshots(folder / "snapshots.parquet", truth.cells)
    by_epoch = {epoch: _both(truth, part) for epoch, part in parts.items()}
    if 0 in by_epoch:
        values["start_ari"], values["start_nmi"] = by_epoch.pop(0)
    if by_epoch:
        best = max(by_epoch, key=lambda epoch: by_epoch[epoch][0])
        values |= {
            "best_epoch": best, "best_epoch_ari": by_epoch[best][0], "epochs": max(by_epoch)
        }  # fmt: skip
    return values


def _both(truth: Truth, clusters: np.ndarray) -> tuple[float, float]:
    """Return ARI and NMI over the labelled cells."""
    labelled = clusters[truth.labelled]
    return round(ari(truth.codes, labelled), 4), round(nmi(truth.codes, labelled), 4)


def _rounded(value: float | None, digits: int) -> float | None:
    return None if value is None else round(value, digits)


def commit() -> str:
    """Return the commit of the code, with a plus where methods or steps differ from it."""
    command = ["git", "-C", str(REPOSITORY)]
    head = subprocess.check_output([*command, "rev-parse", "--short=10", "HEAD"], text=True)
    changed = [*command, "status", "--porcelain", "--", "methods", "workflow"]
    return head.strip() + ("+" if subprocess.check_output(changed) else "")
