"""Turn score tables and run records into the tables that people read."""

from __future__ import annotations

from blindfold.compare.benchmark import read_benchmark
from blindfold.compare.tables import with_remarks, write_tables
from blindfold.core import io
from blindfold.core.layout import Layout
from blindfold.core.log import log


def compare(results: Layout) -> None:
    """Write every table, and all metric values of all runs in ``scores.parquet``.

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
    write_tables(benchmark)
    scores = with_remarks(benchmark.scores, benchmark.audits, benchmark.fidelity)
    io.write_parquet(results.table("scores.parquet"), scores)
    counts = benchmark.runs["status"].value_counts()
    log.info("compared %d runs: %s", len(benchmark.runs), dict(counts.items()))
