"""The script that fills the quality tables."""

import json

import anndata
import numpy as np
import pandas as pd
import pytest
from sklearn.metrics import adjusted_rand_score

from benchmarks import quality, quality_rows, quality_summary
from blindfold.blind.blind import blind
from blindfold.core.config import check_config
from blindfold.core.layout import Layout
from blindfold.core.plan import PlannedRun, make_plan
from blindfold.fetch.fetch import fetch
from blindfold.prepare.prepare import prepare
from blindfold.run.request import Request
from blindfold.run.run import run as run_method

ROW = {
    "dataset": "goolam", "method": "sctag", "variant": "described", "seed": "0", "ari": "0.5",
    "nmi": "0.7", "n_clusters": "5", "start_ari": "0.4", "start_nmi": "0.6", "best_epoch": "8",
    "best_epoch_ari": "0.6", "epochs": "9", "fit_s": "1.5", "peak_rss_mb": "500", "status": "ok",
    "commit": "0123456789", "date": "2026-01-01", "refined_ari": "", "refined_nmi": "",
}  # fmt: skip


def own(tmp_path, methods):
    """Return a plan on 60 cells of two kinds, with its files in a folder of the test."""
    rng = np.random.default_rng(0)
    kinds = np.repeat([0, 1], 30)
    counts = rng.poisson(np.where(kinds[:, None] == (np.arange(80) % 2), 3.0, 0.3))
    obs = pd.DataFrame({"kind": pd.Categorical(kinds)}, index=[f"c{i}" for i in range(60)])
    anndata.AnnData(counts.astype(np.float32), obs=obs).write_h5ad(tmp_path / "own.h5ad")
    config = check_config({
        "name": "own", "methods": methods, "seeds": 1, "snapshots": 3,
        "datasets": [{"id": "own", "path": str(tmp_path / "own.h5ad"), "label": "kind"}],
    })  # fmt: skip
    plan = make_plan(config)
    return plan.__class__(**{**vars(plan), "layout": Layout(tmp_path / "results" / "own")})


def prepared(plan):
    """Fetch, prepare and blind the dataset of a plan."""
    card, at = plan.datasets["own"], plan.layout
    fetch(card, at.fetched("own"), at.root / "cache", [], offline=True)
    prepare("own", card, at)
    blind("own", card, at, 0)


def test_a_row_is_added_without_touching_others(tmp_path):
    table = tmp_path / "rows.csv"
    quality_rows.append(table, ROW)
    first = table.read_text()
    quality_rows.append(table, {**ROW, "seed": 1, "ari": None})
    assert table.read_text().startswith(first)
    assert [r["ari"] for r in quality_rows.standing(table)] == ["0.5", ""]


def test_start_and_best_epoch_are_scored_apart(tmp_path):
    """The start is perfect here; the best of the epochs is still 8, not 0."""
    plan = own(tmp_path, ["pca_kmeans"])
    prepared(plan)
    truth = quality_rows.read_truth(plan.layout, "own")
    rng = np.random.default_rng(1)
    parts = {0: truth.codes, 4: rng.integers(0, 2, 60), 8: truth.codes.copy(), 9: truth.codes % 1}
    parts[8][:5] = 1 - parts[8][:5]
    tables = [
        pd.DataFrame({"epoch": e, "cell": truth.cells[::-1], "cluster": part[::-1]})
        for e, part in parts.items()
    ]
    tables[-1].drop(columns="epoch").to_parquet(tmp_path / "clusters.parquet")
    pd.concat(tables).to_parquet(tmp_path / "snapshots.parquet")
    found = quality_rows.scores(tmp_path, truth, None)
    assert (found["ari"], found["start_ari"], found["best_epoch"], found["epochs"]) == (0, 1, 8, 9)
    assert found["best_epoch_ari"] == round(adjusted_rand_score(truth.codes, parts[8]), 4)


def test_spots_are_also_scored_after_a_vote(tmp_path):
    """One wrong spot within each half of a lattice is put right by its neighbours."""
    plan = own(tmp_path, ["pca_kmeans"])
    prepared(plan)
    truth = quality_rows.read_truth(plan.layout, "own")
    assert quality_rows.places(plan.layout.input("own")) is None
    x, y = np.arange(30) % 6, np.arange(30) // 6
    places = np.empty((60, 2))
    for code, shift in ((0, 0), (1, 100)):
        places[truth.codes == code] = np.column_stack([x + shift, y])
    wrong = truth.codes.copy()
    for code in (0, 1):
        wrong[np.flatnonzero(truth.codes == code)[14]] = 1 - code
    pd.DataFrame({"cell": truth.cells, "cluster": wrong}).to_parquet(tmp_path / "clusters.parquet")
    found = quality_rows.scores(tmp_path, truth, places)
    assert found["ari"] < 1
    assert found["refined_ari"] == found["refined_nmi"] == 1


def test_summary_names_what_is_far_below_the_baseline():
    def rows(method, *aris):
        return [{**ROW, "method": method, "seed": i, "ari": str(a)} for i, a in enumerate(aris)]

    failed = {**ROW, "method": "scgnn", "ari": "", "best_epoch_ari": "", "status": "oom"}
    text = quality_summary.summary("scrna", [
        *rows("pca_kmeans", 0.8, 0.8, 0.8), *rows("sctag", 0.5, 0.6, 0.7),
        *rows("scrcl", 0.71), failed,
    ])  # fmt: skip
    assert "| sctag | 3 | 0.600 [" in text
    flagged, claimed = text.split("## More than")[1].split("## What choosing")
    assert "sctag, described, on goolam: 0.600, 0.200 below 0.800" in flagged
    assert "scrcl" not in flagged
    assert "scgnn, described, seed 0, on goolam: oom" in claimed


def test_what_the_labels_would_choose_is_averaged_over_datasets():
    """A dataset counts once however many seeds it has: 0.5 to 0.6 on one, 0.2 to 0.7 on b."""
    ends = [("a", "0.4", "0.6"), ("a", "0.6", "0.6"), ("b", "0.2", "0.7"), ("c", "0.9", "")]
    rows = [
        {**ROW, "method": "sctag", "dataset": d, "ari": last, "best_epoch_ari": best}
        for d, last, best in ends
    ]
    (line,) = quality_summary.optimism(rows)[2:]
    assert line == "| sctag | 2 | 0.350 | 0.650 | +0.300 | +0.500 on b |"


def test_a_finished_run_becomes_a_row(tmp_path):
    plan = own(tmp_path, ["pca_kmeans"])
    prepared(plan)
    run = PlannedRun("own", "pca_kmeans", "truth", 0)
    at, table = plan.layout, tmp_path / "rows.csv"
    quality.take_standing(plan, table)
    assert quality_rows.standing(table) == []
    folder = at.run("own", "pca_kmeans", "truth", 0)
    asked = Request(
        method="pca_kmeans", input=at.input("own"), out=folder, seed=1, clusters="truth"
    )
    assert run_method(asked) == 0
    record = json.loads((folder / "run.json").read_text())
    for change in ({"status": "killed"}, {"hashes": {**record["hashes"], "code": "another"}}):
        (folder / "run.json").write_text(json.dumps({**record, **change}))
        assert not quality.stands(plan, run)
    (folder / "run.json").write_text(json.dumps(record))
    for _ in range(2):  # once, however often it is asked
        quality.take_standing(plan, table)
        (row,) = quality_rows.standing(table)
    assert (row["status"], row["ari"], row["seed"]) == ("ok", "1.0", "0")
    assert row["date"] == record["ended"][:10]
    assert float(row["fit_s"]) == pytest.approx(record["fit_s"], abs=0.051)
