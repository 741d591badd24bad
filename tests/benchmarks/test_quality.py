"""The script that fills the quality tables."""

import json

import anndata
import numpy as np
import pandas as pd
import pytest
from sklearn.metrics import adjusted_rand_score

from benchmarks import quality, quality_rows, quality_runs, quality_summary
from blindfold.core.config import check_config, read_config
from blindfold.core.layout import Layout
from blindfold.core.plan import PlannedRun, make_plan

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


@pytest.fixture(scope="module")
def planned():
    config = read_config(quality.configuration(quality.TABLE)).model_copy(
        update={"mirror": [], "offline": False}
    )
    return make_plan(config, unavailable={})


def test_every_method_and_dataset_is_wanted_with_its_seeds(planned):
    runs = quality_runs.wanted(planned, set())
    per = pd.Series([(run.dataset, run.method) for run in runs]).value_counts()
    assert len({run.dataset for run in runs}) == 8
    assert per["goolam", "scgnn"] == per["mouse_bladder_2100", "scrcl"] == 3
    assert per["mouse_bladder_2100", "scgnn"] == per["zeisel_1000", "scgnn"] == 1
    assert per["goolam", "scgnn@released"] == 1
    sizes = [quality_runs.cells(planned, run.dataset) for run in runs]
    assert sizes == sorted(sizes)
    assert min(sizes) > 0


def test_large_tissues_are_trained_on_once():
    """Above 1,500 spots one seed of trained methods, three of baselines."""
    files = quality.configuration(quality.TABLE.with_name("tissues.csv"))
    config = read_config(files).model_copy(update={"mirror": [], "offline": False})
    runs = quality_runs.wanted(make_plan(config, unavailable={}), set())
    per = pd.Series([(run.dataset, run.method) for run in runs]).value_counts()
    assert per["osmfish_ssp", "graphst"] == per["osmfish_ssp", "scrcl"] == 1
    assert per["osmfish_ssp", "potts_kmeans"] == per["her2st_h1", "graphst"] == 3


def test_a_standing_row_is_not_repeated(planned, tmp_path):
    table = tmp_path / "rows.csv"
    everything = quality_runs.wanted(planned, set())
    quality_rows.append(table, ROW)
    left = quality_runs.wanted(
        planned, {quality_rows.finished(r) for r in quality_rows.standing(table)}
    )
    assert set(everything) - set(left) == {PlannedRun("goolam", "sctag", "truth", 0)}


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
    quality_runs.ready(plan, "own")
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
    quality_runs.ready(plan, "own")
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


def test_a_run_becomes_a_row(tmp_path):
    plan = own(tmp_path, ["pca_kmeans"])
    run = PlannedRun("own", "pca_kmeans", "truth", 0)
    work = quality.Work(plan, tmp_path / "rows.csv", float("inf"), [run])
    work.fill(1)
    work.active[0][1].wait()
    work.collect()
    (row,) = quality_rows.standing(work.table)
    record = json.loads(plan.layout.record("own", "pca_kmeans", "truth", 0).read_text())
    assert (row["status"], row["ari"], row["seed"]) == ("ok", "1.0", "0")
    assert row["date"] == record["ended"][:10]
    assert float(row["fit_s"]) == pytest.approx(record["fit_s"], abs=0.051)
    work.table.unlink()
    work.waiting = [run]
    work.take_standing()  # a row without another run
    assert (work.waiting, work.active, quality_rows.standing(work.table)) == ([], [], [row])
    for change in ({"status": "killed"}, {"hashes": {**record["hashes"], "code": "another"}}):
        plan.layout.record("own", "pca_kmeans", "truth", 0).write_text(
            json.dumps({**record, **change})
        )
        assert not quality_runs.stands(plan, run)


def test_what_still_runs_at_the_end_leaves_no_row(tmp_path):
    plan = own(tmp_path, ["pca_kmeans"])
    run = PlannedRun("own", "pca_kmeans", "truth", 0)
    work = quality.Work(plan, tmp_path / "rows.csv", float("inf"), [run])
    work.fill(1)
    work.end()
    assert work.active[0][1].returncode is not None
    assert not work.table.exists()


def test_runs_that_cannot_end_in_time_are_not_started(planned, tmp_path):
    run = PlannedRun("mouse_bladder_2100", "scgnn", "truth", 0)
    in_a_minute = quality.time.monotonic() + 60
    work = quality.Work(planned, tmp_path / "rows.csv", in_a_minute, [run])
    work.fill(2)
    assert (work.active, work.waiting) == ([], [])


def test_summary_of_the_reproduction_has_what_the_authors_code_reached():
    shared = {"dataset": "her2st_h1_labelled", "status": "ok"}
    empty = dict.fromkeys(quality_rows.COLUMNS, "")
    rows = [
        {**empty, **shared, "method": method, "variant": variant, "seed": "0", "ari": "0.3"}
        for method, variant in (("graphst", "described"), ("multist", "released"))
    ]
    text = quality_summary.summary("reproduction", rows)
    cells = {line.split(" | ")[0]: line.split(" | ") for line in text.splitlines()}
    assert cells["| graphst"][3] == "0.209 [0.143, 0.246]"  # seeds 41, 1 and 2
    assert cells["| multist@released"][3] == "-"


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
