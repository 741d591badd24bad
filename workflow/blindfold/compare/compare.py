"""Turn score tables and run records into the tables that people read."""

from __future__ import annotations

import pandas as pd

from blindfold.compare.clusters import cluster_table
from blindfold.compare.deg import deg_table
from blindfold.compare.gather import Material, gather
from blindfold.compare.imputation import imputation_table
from blindfold.compare.ranking import rank
from blindfold.compare.summary import cost_table, marker_overlap, summarise
from blindfold.core import io
from blindfold.core.layout import Layout
from blindfold.core.log import log

_CARD = ["title", "modality", "technology", "licence", "cells", "genes", "labelled", "n_clusters"]


def compare(results: Layout) -> None:
    """Write ``tables/``: ranking, summary, runs, clusters, cost, markers, imputation, deg ...

    Parameters
    ----------
    results
        The benchmark's files: its plan, records, score tables and markers.

    Raises
    ------
    BlindfoldError
        Where the plan is missing or a table is damaged.
    """
    material = gather(results)
    tables = {
        "ranking.csv": rank(material),
        "summary.csv": summarise(material.scores),
        "runs.csv": material.runs,
        "clusters.csv": cluster_table(material),
        "cost.csv": cost_table(material.runs),
        "markers.csv": marker_overlap(material),
        "deg.csv": deg_table(material),
        "imputation.csv": imputation_table(material),
        "datasets.csv": dataset_table(material),
    }
    for name, table in tables.items():
        io.write_csv(results.table(name), with_audit(table, material.audits))
    scores = with_audit(material.scores, material.audits)
    io.write_parquet(results.table("scores.parquet"), scores)
    counts = material.runs["status"].value_counts()
    log.info("compared %d runs: %s", len(material.runs), dict(counts.items()))


def with_audit(table: pd.DataFrame, audits: dict[str, str]) -> pd.DataFrame:
    """Say in a column beside the dataset what its preparation did that no blind one may do.

    Parameters
    ----------
    table
        With a column ``dataset``.
    audits
        What was done, by dataset; where there is nothing to say, there is no column.
    """
    if not audits:
        return table
    marked = table.copy()
    marked.insert(table.columns.get_loc("dataset") + 1, "audit", table["dataset"].map(audits))
    return marked


def dataset_table(material: Material) -> pd.DataFrame:
    """Return one row per planned dataset; one that could not be had says so."""
    rows = []
    for dataset, planned in material.plan.datasets.items():
        path = material.results.card(dataset)
        card = io.read_json(path) if path.is_file() else {}
        facts = {field: card.get(field) for field in _CARD}
        facts["title"] = facts["title"] or planned.title
        facts["modality"] = facts["modality"] or planned.modality
        facts["licence"] = facts["licence"] or planned.licence
        status = "ok" if card else "missing"
        reason = None if card else "no card.json: fetch, prepare or blind did not finish"
        rows.append({"dataset": dataset, "status": status, "reason": reason, **facts})
    for dataset, reason in material.plan.unavailable.items():
        rows.append({"dataset": dataset, "status": "unavailable", "reason": reason})
    whole = dict.fromkeys(_CARD[-4:], "Int64")
    return pd.DataFrame(rows).astype(whole)
