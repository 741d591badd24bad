from __future__ import annotations

import shutil

import numpy as np
import pandas as pd
import pytest

from blindfold.compare.compare import compare
from blindfold.compare.provenance import cpu_model, git_state, provenance
from blindfold.core import io
from blindfold.core.errors import BlindfoldError
from blindfold.score.oracle import oracle
from blindfold.score.score import score
from tests.score.synthetic import REASONS, make_results, make_scored

TABLES = ["ranking", "summary", "runs", "cost", "markers", "deg", "datasets"]


@pytest.fixture(scope="module")
def tables(scored) -> dict[str, pd.DataFrame]:
    compare(scored.layout)
    return {name: pd.read_csv(scored.layout.table(f"{name}.csv")) for name in TABLES}


@pytest.fixture
def ranking(tables) -> pd.DataFrame:
    return tables["ranking"].set_index(["dataset", "method", "variant"])


def test_every_planned_run_is_listed(scored, tables):
    runs = tables["runs"]
    assert len(runs) == len(scored.runs)
    ghosts = runs[runs["method"] == "ghost"]
    assert set(ghosts["status"]) == {"killed"}
    assert set(ghosts["reason"]) == {"no record"}
    failed = runs[~runs["status"].isin(["ok"])]
    assert failed["reason"].notna().all()
    assert set(REASONS) <= set(runs["status"])
    assert runs["derived_seed"].dropna().mod(1).eq(0).all()


def test_failures_count_as_worst(ranking):
    order = ranking.loc["tissue"].sort_values("rank")
    assert order.index[0][0] == "graphst"
    last = ranking.loc["cells"].dropna(subset="rank").sort_values("rank")
    assert {name for name, _ in last.index[-3:]} == {"cheater", "crasher", "ghost"}
    assert last["rank"].iloc[-3:].tolist() == [7.0, 7.0, 7.0]
    half = ranking.loc[("cells", "sctag", "described")]
    assert half["failed"] == 1
    assert half["ranked_ari"] == pytest.approx((2 * half["mean_ari"] - 0.5) / 3)


def test_unavailable_is_not_ranked(ranking):
    row = ranking.loc[("tissue", "sctag", "described")]
    assert np.isnan(row["rank"])
    assert row["unavailable"] == row["planned"] == 3
    assert row["failed"] == 0
    assert ranking.loc[("overall", "sctag", "described"), "datasets"] == 1


def test_scaled_and_verdict(ranking):
    random = ranking.loc[("tissue", "random_labels", "described")]
    assert random["scaled"] == 0
    assert random["control"]
    best = ranking.loc[("tissue", "graphst", "described")]
    expected = (best["mean_ari"] - random["mean_ari"]) / (1 - random["mean_ari"])
    assert best["scaled"] == pytest.approx(expected)
    assert str(best["beats_smoothed_pca"]) == "True"
    verdict = ranking["beats_smoothed_pca"].astype(str)
    assert verdict["tissue", "pca_kmeans", "described"] == "False"
    assert verdict["cells", "sctag", "described"] == "False"
    assert verdict["cells", "crasher", "described"] == "False"
    assert verdict["tissue", "smoothed_pca_kmeans", "described"] == "nan"
    assert verdict["cells", "random_labels", "described"] == "nan"
    assert "oracle" not in set(ranking.index.get_level_values("method"))


def test_overall_means_and_intervals(ranking):
    parts = ranking.xs(("pca_kmeans", "described"), level=["method", "variant"])
    overall = parts.loc["overall"]
    assert overall["mean_ari"] == pytest.approx(parts.loc[["cells", "tissue"], "mean_ari"].mean())
    assert overall["ci_low"] <= overall["mean_ari"] <= overall["ci_high"]
    assert np.isnan(ranking.loc[("cells", "sctag", "released"), "ci_low"])


def test_summary_markers_and_cost(tables):
    summary = tables["summary"].set_index(["dataset", "method", "variant", "metric"])
    row = summary.loc[("cells", "pca_kmeans", "described", "ari")]
    assert row["n"] == 3
    assert row["sd"] > 0
    assert summary.loc[("cells", "oracle", "described", "ari"), "mean"] == 1
    assert summary.loc[("cells", "crasher", "described", "ari"), "n"] == 0
    markers = tables["markers"].set_index(["dataset", "method", "variant"])
    fine = markers.loc[("cells", "pca_kmeans", "described")]
    assert fine["above_floor"] == pytest.approx(fine["mean"] - fine["random_floor"])
    assert fine["above_floor"] > 0.1
    cost = tables["cost"].set_index(["dataset", "method", "variant"])
    assert cost.loc[("cells", "pca_kmeans", "described"), "wall_s_median"] > 0
    assert cost.loc[("cells", "crasher", "described"), "n"] == 0


def test_deg_shows_truth_and_the_median_seed(tables):
    deg, runs = tables["deg"], tables["summary"]
    assert {"oracle", "pca_kmeans", "sctag"} <= set(deg["method"])
    assert deg["rank"].max() <= 20
    part = deg[(deg["method"] == "pca_kmeans") & (deg["dataset"] == "cells")]
    assert part["seed"].nunique() == 1
    assert set(part["matched_class"]) == set(deg.loc[deg["method"] == "oracle", "group"])
    assert len(runs)


def test_same_files_same_bytes(scored, tables):
    before = {name: scored.layout.table(f"{name}.csv").read_bytes() for name in tables}
    compare(scored.layout)
    for name, content in before.items():
        assert scored.layout.table(f"{name}.csv").read_bytes() == content


def test_an_unscored_run_is_an_error(tmp_path, monkeypatch):
    plan = make_results(tmp_path, monkeypatch)
    with pytest.raises(BlindfoldError, match="not scored"):
        compare(plan.layout)


def test_a_dataset_that_could_not_be_had(tmp_path, monkeypatch):
    plan = make_scored(tmp_path, monkeypatch, methods=["pca_kmeans"], seeds=1)
    for folder in ("datasets", "vault", "scores", "markers", "runs"):
        shutil.rmtree(plan.layout.root / folder / "tissue")
    compare(plan.layout)
    datasets = pd.read_csv(plan.layout.table("datasets.csv")).set_index("dataset")
    assert datasets["status"].to_dict() == {"cells": "ok", "tissue": "missing"}
    runs = pd.read_csv(plan.layout.table("runs.csv"))
    assert set(runs.loc[runs["dataset"] == "tissue", "reason"]) == {"no record"}


def test_an_audit_stands_in_every_table(tmp_path, monkeypatch):
    plan = make_scored(tmp_path, monkeypatch, methods=["pca_kmeans"], seeds=1)
    card = tmp_path / "datasets" / "cells.yaml"
    card.write_text(card.read_text() + "drop_unlabelled: true\nrescale_pitch: 137\n")
    io.write_json(
        plan.layout.plan,
        {**io.read_json(plan.layout.plan), "unavailable": {"absent": "no address is known"}},
    )
    compare(plan.layout)
    for path in plan.layout.tables.glob("*.csv"):
        table = pd.read_csv(path)
        if path.name == "metrics.csv":
            assert "dataset" not in table
            continue
        assert "audit" in table, path
        if path.name in ("imputation.csv", "epochs.csv", "optimism.csv"):  # nothing of it is here
            assert table.empty
            continue
        told = table.loc[table["dataset"] == "cells", "audit"]
        assert set(told) == {"unlabelled cells dropped; pitch rescaled to 137"}, path
        assert table.loc[table["dataset"] != "cells", "audit"].isna().all()
    datasets = pd.read_csv(plan.layout.table("datasets.csv")).set_index("dataset")
    assert datasets.loc["absent", ["status", "reason"]].tolist() == [
        "unavailable",
        "no address is known",
    ]


def test_an_audit_does_not_count_overall(tmp_path, monkeypatch):
    plan = make_scored(tmp_path, monkeypatch, methods=["pca_kmeans"], seeds=1)

    def means(*audits: str) -> dict[str, float]:
        cards = {name: tmp_path / "datasets" / f"{name}.yaml" for name in audits}
        for card in cards.values():
            card.write_text(card.read_text() + "rescale_pitch: 137\n")
        compare(plan.layout)
        table = pd.read_csv(plan.layout.table("ranking.csv"))
        table = table[table["method"] == "pca_kmeans"].set_index("dataset")
        assert table.loc["overall", "datasets"] == (1 if len(audits) == 1 else 2)
        return table["mean_ari"].to_dict()

    both = means()
    assert both["cells"] != both["tissue"]
    assert both["overall"] == pytest.approx((both["cells"] + both["tissue"]) / 2)
    one = means("cells")
    assert one["overall"] == one["tissue"] == both["tissue"]
    card = tmp_path / "datasets" / "cells.yaml"
    card.write_text(card.read_text().replace("rescale_pitch: 137\n", ""))
    assert means("cells", "tissue")["overall"] == both["overall"]  # there is nothing else


def test_unlabelled_data_and_several_k(tmp_path, monkeypatch):
    plan = make_scored(tmp_path, monkeypatch, methods=["pca_kmeans"], clusters=["estimate", 3])
    ranking_of = lambda: pd.read_csv(plan.layout.table("ranking.csv"))  # noqa: E731
    compare(plan.layout)
    assert set(ranking_of()["k"]) == {"estimate", "3"}
    assert ranking_of().groupby(["dataset", "k"])["rank"].min().eq(1).all()
    for dataset in plan.datasets:
        path = plan.layout.truth(dataset)
        io.write_parquet(path, pd.read_parquet(path)[["cell", "original"]])
    for dataset in plan.datasets:
        oracle(plan.layout, dataset)
        for method in plan.methods:
            runs = [(r.k, r.seed) for r in plan.runs if (r.dataset, r.method) == (dataset, method)]
            score(plan.layout, dataset, method, runs)
    compare(plan.layout)
    assert ranking_of()["rank"].isna().all()
    assert ranking_of()["ok"].min() == 3


def test_nothing_is_said_to_beat_a_baseline_without_labels(tmp_path, monkeypatch):
    plan = make_scored(tmp_path, monkeypatch, methods=["pca_kmeans", "sctag"])
    path = plan.layout.truth("cells")
    io.write_parquet(path, pd.read_parquet(path)[["cell", "original"]])
    oracle(plan.layout, "cells")
    for method in plan.methods:
        score(plan.layout, "cells", method, [("truth", seed) for seed in range(3)])
    compare(plan.layout)
    table = pd.read_csv(plan.layout.table("ranking.csv"))
    cells = table[table["dataset"] == "cells"].set_index("method")
    assert cells.loc["sctag", "failed"] == 1
    assert cells["beats_smoothed_pca"].isna().all()


def test_provenance(scored, tmp_path):
    provenance(scored.layout)
    first = scored.layout.provenance.read_bytes()
    facts = io.read_json(scored.layout.provenance)
    assert facts["configuration"]["name"] == "synthetic"
    assert facts["hardware"]["cores"] > 0
    assert facts["hardware"]["sandboxes"] == ["tripwire"]
    assert facts["inputs"]["cells"]["input.h5ad"] == io.sha256(scored.layout.input("cells"))
    assert facts["inputs"]["cells"]["raw"] == {"x": "0" * 64}
    assert "numpy" in facts["versions"]["packages"]
    provenance(scored.layout)
    assert scored.layout.provenance.read_bytes() == first
    assert git_state(tmp_path) == {"commit": None, "dirty": None}
    assert cpu_model(tmp_path / "none")


def test_the_fidelity_of_each_method_stands_in_every_table(scored):
    compare(scored.layout)
    for path in scored.layout.tables.glob("*.csv"):
        table = pd.read_csv(path)
        if "variant" not in table:
            continue
        assert table.columns.get_loc("fidelity") == table.columns.get_loc("variant") + 1, path
        known = table[table["method"] != "oracle"]
        assert set(known["fidelity"]) <= {"baseline"}, path
    stated = {each["name"]: each for each in io.read_json(scored.layout.table("tables.json"))}
    assert stated["ranking"]["columns"]["fidelity"]["heading"] == "Fidelity"
    assert "audit" not in stated["ranking"]["columns"]
