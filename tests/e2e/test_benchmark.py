"""The main job from raw files to report."""

import json
import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import pandas as pd
import psutil
import pytest
from pandas.testing import assert_frame_equal

from blindfold.core.config import read_config
from blindfold.core.plan import make_plan
from tests.conftest import REPOSITORY
from tests.e2e.conftest import TEST_CONFIG, Workflow, clusters, environment, scores

pytestmark = pytest.mark.slow


def results_of(made: Workflow, name: str = "test") -> Path:
    return made.folder / "results" / name


def records(results: Path) -> list[dict]:
    return [json.loads(path.read_text()) for path in results.glob("runs/*/*/*/*/run.json")]


def test_every_planned_run_has_a_record(finished):
    plan = make_plan(read_config([REPOSITORY / "config.yaml", TEST_CONFIG]))
    found = records(results_of(finished))
    assert len(found) == len(plan.runs)
    assert {record["status"] for record in found} == {"ok", "unavailable"}
    assert all(record["reason"] for record in found if record["status"] == "unavailable")


def test_tables_figures_and_report_are_there(finished):
    results = results_of(finished)
    for name in ("ranking.csv", "deg.csv", "runs.csv", "summary.csv", "cost.csv"):
        assert len(pd.read_csv(results / "tables" / name))
    assert (results / "provenance.json").exists()
    figures = sorted(results.glob("figures/*.pdf"))
    assert len(figures) >= 8
    for path in figures:
        for suffix in (".png", ".svg", ".csv"):
            assert path.with_suffix(suffix).stat().st_size > 0
    page = (results / "report" / "index.html").read_text()
    assert "pbmc68k" in page
    assert 'src="http' not in page


def test_the_inputs_carry_no_label(finished):
    import anndata

    for path in results_of(finished).glob("datasets/*/input.h5ad"):
        adata = anndata.read_h5ad(path)
        assert set(adata.obs.columns) <= {"batch"}
        assert set(adata.obsm) <= {"spatial"}
        assert set(adata.uns) <= {"blindfold"}
        assert not adata.layers
        assert adata.raw is None
        assert adata.obs_names[0] == "c0000001"


def test_nothing_is_done_twice(finished):
    began = time.monotonic()
    output = finished.snakemake("--configfile", str(TEST_CONFIG))
    assert "Nothing to be done" in output
    assert time.monotonic() - began < 30


def test_a_deleted_record_is_made_again(finished, tmp_path):
    copy = finished.copy(tmp_path / "copy")
    record = results_of(copy) / "runs/pbmc68k/random_labels/truth/0/run.json"
    record.unlink()
    output = copy.snakemake("-n", "--configfile", str(TEST_CONFIG))
    for rule in ("run", "score", "compare", "figures", "report"):
        assert f"rule {rule}:" in output
    output = copy.snakemake("runs", "--configfile", str(TEST_CONFIG))
    assert output.count("rule run:") == 1
    assert record.exists()


def test_another_seed_gives_other_clusters(finished, workflow):
    extra = workflow.config(
        "seed", "seed: 1\nseeds: 1\ndatasets: [pbmc68k]\nmethods: [random_labels, pca_kmeans]\n"
    )
    workflow.snakemake("runs", "--configfile", str(TEST_CONFIG), extra)
    one, two = clusters(results_of(finished)), clusters(results_of(workflow))
    random = "runs/pbmc68k/random_labels/truth/0/clusters.parquet"
    assert one[random] != two[random]
    for method in ("pbmc68k/sctag", "mosaic/graphst", "mosaic/random_labels"):
        first, second = (f"runs/{method}/truth/{seed}/clusters.parquet" for seed in (0, 1))
        assert one[first] != one[second], method


def test_the_same_configuration_gives_the_same_bytes_after_a_kill_too(finished, workflow):
    """In another folder, everything killed in the middle and started again: no number differs."""
    files = str(TEST_CONFIG), workflow.config("tissue", "datasets: [mosaic]\n")
    command = workflow.command("--configfile", *files)
    running = subprocess.Popen(
        command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL, env=environment()
    )
    results = results_of(workflow)
    deadline = time.monotonic() + 300
    while len(records(results)) < 4 and time.monotonic() < deadline:
        time.sleep(0.2)
    tree = [psutil.Process(running.pid), *psutil.Process(running.pid).children(recursive=True)]
    for process in tree:
        try:
            process.send_signal(signal.SIGKILL)
        except psutil.NoSuchProcess:
            continue
    running.wait()
    assert any((workflow.folder / ".snakemake" / "locks").iterdir())
    time.sleep(1)
    assert "removed a stale lock" in workflow.blindfold("unlock").stdout
    workflow.snakemake("all_scores", "--configfile", *files)
    undisturbed = results_of(finished)
    assert clusters(results) == clusters(undisturbed, "mosaic")
    assert len(clusters(results)) == 5
    assert_frame_equal(scores(undisturbed, "mosaic"), scores(results), check_exact=True)
    assert not list(results.rglob("*.partial*"))
    assert not list(results.parent.glob(".work/*"))
    assert not list(results.parent.glob(".states/*"))


def test_the_canary_sings_and_a_cheat_is_caught(workflow):
    bad = REPOSITORY / "tests" / "bad_methods"
    cheat = workflow.config(
        "cheat",
        f"name: cheat\ndatasets: [pbmc68k]\nmethods: [pca_kmeans, nosy]\nseeds: 1\n"
        f"sandbox: none\nmethods_path: [methods, {bad}]\n",
    )
    done = workflow.blindfold("canary", "--configfile", cheat, "--cores", "2")
    assert done.returncode == 1, done.stdout + done.stderr
    assert "LEAK  nosy on pbmc68k" in done.stdout
    assert "LEAK  pca_kmeans" not in done.stdout
    assert "LEAK  input" not in done.stdout


def test_a_number_of_clusters_asked_for_and_estimated(workflow):
    """Both on degraded data."""
    config = workflow.config(
        "both",
        "name: both\ndatasets: [{from: pbmc68k, degrade: {thin: [0.5]}}]\nseeds: 1\n"
        "clusters: [truth, estimate]\n"
        "methods: [random_labels, depth_kmeans, pca_leiden, "
        "{name: pca_kmeans, params: {k_rule: leiden}}]\n",
    )
    workflow.snakemake("--configfile", config)
    results = results_of(workflow, "both")
    table = pd.read_csv(results / "tables" / "clusters.csv").set_index(["method", "k"])
    assert len(table) == 8
    truth = table.xs("truth", level="k")
    assert set(truth["k_rule"]) == {"given"}
    assert set(truth["asked"]) == set(truth["classes"]) == {10}
    alone = table.xs("estimate", level="k")
    rules = {"random_labels": "uniform draw", "depth_kmeans": "eigengap", "pca_leiden": "own",
             "pca_kmeans": "Leiden stability"}  # fmt: skip
    assert alone["asked"].isna().all()
    for method, rule in rules.items():
        assert rule in alone["k_rule"][method]
        assert alone["error"][method] == alone["found"][method] - 10
        record = json.loads(
            (results / f"runs/pbmc68k-thin-0.5/{method}/estimate/0/run.json").read_text()
        )
        assert record["notes"]["k_rule"] == alone["k_rule"][method]
        assert record["n_clusters"] == alone["found"][method]
    scores = pd.read_parquet(results / "tables" / "scores.parquet").query("metric == 'k_error'")
    errors = scores[scores["k"] == "estimate"].set_index("method")["value"]
    assert (errors[alone.index] == alone["error"].abs()).all()
    assert (results / "figures" / "estimated.png").exists()
    page = (results / "report" / "index.html").read_text()
    assert "Leiden stability over draws" in page
    assert 'id="estimated"' in page


def test_planning_is_quick(workflow):
    began = time.monotonic()
    workflow.snakemake("-n", "-q", "all")
    assert time.monotonic() - began < 10


def test_a_checker_of_the_design_agrees(finished):
    checker = Path(
        os.environ.get("BLINDFOLD_CHECKER", REPOSITORY.parent / "shared" / "checks" / "outputs.py")
    )
    if not checker.exists():
        pytest.skip(f"no checker at {checker} (BLINDFOLD_CHECKER)")
    done = subprocess.run(
        [sys.executable, str(checker), str(results_of(finished))], capture_output=True, text=True
    )
    assert done.returncode == 0, done.stdout
