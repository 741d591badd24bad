"""Numbers of clusters: asked for, found and true, in the table and in the figure."""

from __future__ import annotations

import shutil

import pandas as pd
import pytest

from blindfold.compare.benchmark import GROUP, read_benchmark
from blindfold.compare.compare import compare
from blindfold.compare.drawing import house_style
from blindfold.compare.figure_data import read_figure_data
from blindfold.compare.figures import estimated
from blindfold.compare.tables import clusters
from blindfold.core import io
from tests.score.synthetic import make_scored


@pytest.fixture(scope="module")
def plan(tmp_path_factory):
    """Return a benchmark with every kind of K, in which PCA's estimates are 4, 5 and 7 of 5."""
    with pytest.MonkeyPatch.context() as patch:
        made = make_scored(
            tmp_path_factory.mktemp("k"), patch, methods=["pca_kmeans", "sctag", "ghost"],
            clusters=["truth", "estimate", 3],
        )  # fmt: skip
        for seed, found in enumerate((4, 5, 7)):
            path = made.layout.record("cells", "pca_kmeans", "estimate", seed)
            notes = {"k_rule": "a rule", "k_scores": {"4": 1.0}}
            io.write_json(path, io.read_json(path) | {"n_clusters": found, "notes": notes})
        compare(made.layout)
        yield made


@pytest.fixture
def table(plan) -> pd.DataFrame:
    return pd.read_csv(plan.layout.table("clusters.csv"), dtype={"k": str}).set_index(GROUP)


def test_an_estimate_beside_the_truth(table):
    row = table.loc[("cells", "pca_kmeans", "described", "estimate")]
    assert row["k_rule"] == "a rule"
    assert pd.isna(row["asked"])
    assert (row["n"], row["found"], row["found_min"], row["found_max"]) == (3, 5, 4, 7)
    assert row["classes"] == 5
    assert row["error"] == pytest.approx((-1 + 0 + 2) / 3)
    assert row["exact"] == pytest.approx(1 / 3)


def test_a_given_number_is_told(table):
    for k, asked in (("truth", 5), ("3", 3)):
        row = table.loc[("tissue", "pca_kmeans", "described", k)]
        assert (row["k_rule"], row["asked"], row["classes"]) == ("given", asked, 5)


def test_runs_without_a_result_have_no_number(table):
    lost = table.loc[("cells", "ghost", "described", "estimate")]
    assert lost["n"] == 0
    assert lost[["k_rule", "found", "error", "exact"]].isna().all()
    half = table.loc[("cells", "sctag", "described", "estimate")]
    assert half["n"] == 2
    assert len(table) == 2 * 4 * 3  # datasets, methods with the control, kinds of k


def test_the_rule_of_every_run_is_listed(plan):
    runs = pd.read_csv(plan.layout.table("runs.csv"), dtype={"k": str}).query("status == 'ok'")
    given = runs.set_index("k")["k_rule"]
    assert set(given["truth"]) == set(given["3"]) == {"given"}
    assert set(given["estimate"]) == {"a rule", "synthetic"}


def test_the_figure_shows_estimates_only(plan):
    with house_style():
        (drawing,) = estimated.draw(read_figure_data(plan.layout))
        drawing.figure.canvas.draw()
    assert set(drawing.data["k"]) == {"estimate"}
    cells, tissue = (ax for ax in drawing.figure.axes if ax.axison)
    (title,) = {ax.get_title(loc="left") for ax in (cells,)}
    assert title == "cells"
    dots = {tuple(line.get_xdata()) for line in cells.lines if line.get_marker() == "o"}
    assert (5.0,) in dots
    truth = next(line for line in tissue.lines if list(line.get_ydata()) == [0, 1])
    assert list(truth.get_xdata()) == [5, 5]


def test_no_estimate_no_figure(scored):
    compare(scored.layout)
    with house_style():
        assert not list(estimated.draw(read_figure_data(scored.layout)))


def test_unlabelled_and_missing_datasets_have_no_error(plan, tmp_path):
    benchmark = read_benchmark(plan.layout)
    card = io.read_json(plan.layout.card("cells"))
    copy = tmp_path / "card.json"
    shutil.copy(plan.layout.card("tissue"), copy)
    try:
        io.write_json(plan.layout.card("cells"), card | {"n_clusters": None})
        plan.layout.card("tissue").unlink()
        table = clusters.build(benchmark)
    finally:
        io.write_json(plan.layout.card("cells"), card)
        shutil.copy(copy, plan.layout.card("tissue"))
    assert table["found"].notna().any()
    assert table[["classes", "error", "exact"]].isna().all(axis=None)
