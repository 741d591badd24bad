"""Imputation in the tables, the figure and the page: the better end of each metric first."""

from __future__ import annotations

from types import SimpleNamespace

import numpy as np
import pandas as pd
import pytest

from blindfold.compare.drawing import house_style, save
from blindfold.compare.figure_data import FigureData
from blindfold.compare.figures import imputation as figure
from blindfold.compare.tables import facts, imputation
from blindfold.core.io import write_csv
from blindfold.report.cells import read_rows
from blindfold.report.tables import fill
from blindfold.score.metric import find_metrics

METRICS = {name: m.facts for name, m in find_metrics().items() if m.task == "imputation"}
ERRORS = {"gene_mean": 0.5, "neighbour_mean": 0.4, "good": 0.2, "bad": 0.9, "frail": 0.1}


def benchmark(datasets=("b-mask-0.1", "a-mask-0.1")):
    """Return scores of known errors; ``frail`` failed once, ``other`` does not apply."""
    rows = []
    for dataset in datasets:
        for method, error in [*ERRORS.items(), ("other", np.nan), ("oracle", 0.0)]:
            for seed in range(3):
                status = "unavailable" if method == "other" else "ok"
                status = "crash" if (method, seed) == ("frail", 1) else status
                for metric in METRICS:
                    value = error + 0.01 * seed
                    value = 1 - value if metric == "cosine" else value
                    rows.append(
                        {"dataset": dataset, "method": method, "variant": "described",
                         "k": "truth", "seed": seed, "task": "imputation", "metric": metric,
                         "value": value if status == "ok" else np.nan, "status": status}
                    )  # fmt: skip
    scores = pd.DataFrame(rows)
    runs = [SimpleNamespace(dataset=dataset, k="truth") for dataset in datasets]
    plan = SimpleNamespace(runs=runs, methods=list(ERRORS))
    return SimpleNamespace(
        scores=scores,
        datasets=list(datasets),
        plan=plan,
        metrics=METRICS,
        controls=set(),
        fidelity=dict.fromkeys(ERRORS, "baseline"),
    )


def test_ranks_know_which_end_is_better():
    table = imputation.build(benchmark())
    assert list(table.columns) == list(imputation.COLUMNS)
    assert list(table["dataset"].unique()) == ["b-mask-0.1", "a-mask-0.1"]
    assert list(table["metric"].unique()) == list(METRICS)
    order = ["good", "neighbour_mean", "gene_mean", "bad", "frail"]
    for _, part in table.groupby(["dataset", "metric"]):
        assert list(part["method"]) == order, "a failure is worst, whatever its other seeds say"
        assert list(part["rank"]) == [1, 2, 3, 4, 5]
        assert list(part["n"]) == [3, 3, 3, 3, 2]
        assert list(part["failed"]) == [0, 0, 0, 0, 1]


def test_means_stand_beside_the_references_with_intervals():
    table = imputation.build(benchmark()).set_index(["dataset", "metric", "method"])
    row = table.loc[("a-mask-0.1", "rmse", "good")]
    assert row["mean"] == pytest.approx(0.21)
    assert 0.2 <= row["ci_low"] < row["mean"] < row["ci_high"] <= 0.22
    assert (row["gene_mean"], row["neighbour_mean"]) == (pytest.approx(0.51), pytest.approx(0.41))
    here = table.xs(("a-mask-0.1", "cosine"), level=["dataset", "metric"])
    beats = here[["beats_gene_mean", "beats_neighbour_mean"]]
    assert beats.loc["good"].tolist() == [True, True]
    assert beats.loc["bad"].tolist() == [False, False]
    assert beats.loc["frail"].tolist() == [False, False]
    assert beats.loc["neighbour_mean"].tolist() == [True, None]


def test_without_references_nothing_is_claimed():
    made = benchmark()
    made.scores = made.scores[made.scores["method"] == "good"]
    table = imputation.build(made)
    assert table["gene_mean"].isna().all()
    assert table["beats_gene_mean"].isna().all()


def test_nothing_masked_is_an_empty_table(tmp_path):
    made = benchmark()
    made.scores = made.scores[made.scores["method"] == "other"]
    assert imputation.build(made).empty
    made.scores = made.scores.assign(task="clustering")
    assert list(imputation.build(made).columns) == list(imputation.COLUMNS)
    assert list(figure.draw(FigureData(made, pd.DataFrame()))) == []


def test_the_figure_and_the_page(tmp_path):
    made = benchmark()
    with house_style():
        (drawing,) = figure.draw(FigureData(made, pd.DataFrame()))
        save(drawing, tmp_path)
    assert drawing.name == "imputation"
    data = pd.read_csv(tmp_path / "imputation.csv")
    assert len(data) == 2 * 3 * len(ERRORS)
    svg = (tmp_path / "imputation.svg").read_text()
    for words in ("neighbour_mean", "1 failed", "median L1", "b-mask-0.1"):
        assert words in svg
    write_csv(tmp_path / "table.csv", imputation.build(made))
    page = fill(facts("imputation", imputation), read_rows(tmp_path / "table.csv"))
    assert page.first
    assert page.filters["metric"] == list(METRICS)
    told = [heading for heading, _ in page.headers]
    first = dict(zip(told, (cell.text for cell in page.rows[0][1]), strict=True))
    assert (first["Method"], first["Metric"], first["Better"]) == ("good", "cosine", "higher")
    assert (first["Rank"], first["Mean"], first["95 % interval"]) == (
        "1",
        "0.790",
        "0.780 to 0.800",
    )
    assert first["Beats gene mean"] == first["Beats neighbour mean"] == "yes"
