"""Turn score tables and run records into the tables that people read."""

from __future__ import annotations

import pandas as pd

from blindfold.compare.benchmark import Benchmark, read_benchmark
from blindfold.compare.clusters import cluster_table
from blindfold.compare.deg import deg_table
from blindfold.compare.imputation import imputation_table
from blindfold.compare.ranking import rank_methods
from blindfold.compare.summary import cost_table, marker_overlap, summarise
from blindfold.core import io
from blindfold.core.layout import Layout
from blindfold.core.log import log

_FACTS = ["title", "modality", "technology", "licence", "cells", "genes", "labelled", "n_clusters"]


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
    benchmark = read_benchmark(results)
    tables = {
        "ranking.csv": rank_methods(benchmark),
        "summary.csv": summarise(benchmark.scores),
        "runs.csv": benchmark.runs,
        "clusters.csv": cluster_table(benchmark),
        "cost.csv": cost_table(benchmark.runs),
        "markers.csv": marker_overlap(benchmark),
        "deg.csv": deg_table(benchmark),
        "imputation.csv": imputation_table(benchmark),
        "datasets.csv": dataset_table(benchmark),
    }
    for name, table in tables.items():
        io.write_csv(results.table(name), with_audits(table, benchmark.audits))
    scores = with_audits(benchmark.scores, benchmark.audits)
    io.write_parquet(results.table("scores.parquet"), scores)
    counts = benchmark.runs["status"].value_counts()
    log.info("compared %d runs: %s", len(benchmark.runs), dict(counts.items()))


def with_audits(table: pd.DataFrame, audits: dict[str, str]) -> pd.DataFrame:
    """Return a table that says beside each dataset what no blind preparation may have done to it.

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


def dataset_table(benchmark: Benchmark) -> pd.DataFrame:
    """Return one row per planned dataset; one that could not be had says so."""
    rows = []
    for dataset, planned in benchmark.plan.datasets.items():
        card = {"title": planned.title, "modality": planned.modality, "licence": planned.licence}
        facts = benchmark.dataset_facts(dataset)
        status = "ok" if facts else "missing"
        reason = None if facts else "no card.json: fetch, prepare or blind did not finish"
        known = {name: (card | facts).get(name) for name in _FACTS}
        rows.append({"dataset": dataset, "status": status, "reason": reason, **known})
    for dataset, reason in benchmark.plan.unavailable.items():
        rows.append({"dataset": dataset, "status": "unavailable", "reason": reason})
    return pd.DataFrame(rows).astype(dict.fromkeys(_FACTS[-4:], "Int64"))
