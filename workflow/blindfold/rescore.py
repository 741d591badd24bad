"""Score and draw a finished results folder again, without running anything."""

from __future__ import annotations

from blindfold.compare.compare import compare
from blindfold.compare.figures import draw_figures
from blindfold.core.layout import Layout
from blindfold.core.plan import read_plan
from blindfold.report.report import report
from blindfold.score.oracle import oracle
from blindfold.score.score import score


def rescore(results: Layout) -> None:
    """Write scores, tables, figures and the report from what the runs left.

    ``provenance.json`` stays: it says where and by what code the runs were made.

    Parameters
    ----------
    results
        The benchmark's files: plan, blinded datasets, vault and runs.

    Raises
    ------
    BlindfoldError
        Where one of them is missing, damaged or of a newer version.
    """
    plan = read_plan(results.root)
    metrics = plan.config.metrics
    for dataset in plan.datasets:
        oracle(results, dataset, metrics)
        for method in plan.methods:
            runs = [(r.k, r.seed) for r in plan.runs if (r.dataset, r.method) == (dataset, method)]
            score(results, dataset, method, runs, metrics)
    compare(results)
    draw_figures(results)
    report(results)
