"""No failure can hide: every kind of it becomes a row, and the workflow ends well."""

import json

import pandas as pd
import pytest

from tests.cluster.check_leases import lease_problems
from tests.conftest import REPOSITORY
from tests.e2e.conftest import Workflow

pytestmark = pytest.mark.slow
BAD = REPOSITORY / "tests" / "bad_methods"
EXPECTED = {
    "misbehave": "crash",
    "misbehave@leak": "oom",
    "misbehave@hang": "timeout",
    "misbehave@nan": "invalid",
    "misbehave@short": "invalid",
    "misbehave@noisy": "ok",
    "misbehave@forks": "ok",
    "peek": "invalid",
    "peek@os_open": "invalid",
    "peek@mmap": "invalid",
    "peek@h5py": "invalid",
    "peek@pyarrow": "invalid",
    "peek@symlink": "invalid",
    "peek@package": "invalid",
    "pca_kmeans": "ok",
}


@pytest.fixture(scope="module")
def failing(tmp_path_factory):
    """Return a folder in which every kind of failure, and a method made here, have run."""
    folder = tmp_path_factory.mktemp("failing")
    made = Workflow(folder, folder / "data")
    own = folder / "mine" / "half_and_half"
    own.mkdir(parents=True)
    card = (BAD / "nosy" / "method.yaml").read_text().replace("Nosy", "Half and half")
    (own / "method.yaml").write_text(card)
    (own / "model.py").write_text(
        "import numpy as np\nfrom methods.contract import Result\n\n\n"
        "def fit(data, params, job):\n"
        "    totals = np.asarray(data.counts.sum(axis=1)).ravel()\n"
        "    return Result((totals > np.median(totals)).astype(int))\n"
    )
    vault = folder / "results" / "bad" / "vault" / "pbmc68k"
    told = {name: f", params: {{vault: {vault}}}" for name in EXPECTED if name.startswith("peek")}
    methods = "\n".join(
        f"  - {{name: '{name}'{told.get(name, '')}}}" for name in (*EXPECTED, own.name)
    )
    config = made.config(
        "bad",
        f"name: bad\ndatasets: [pbmc68k]\nmethods:\n{methods}\nseeds: 1\n"
        "limits: {minutes: 0.25, memory_gb: 1}\n"
        f"methods_path: [methods, {BAD}, {own.parent}]\n",
    )
    made.snakemake("--configfile", config)
    return folder / "results" / "bad"


def test_every_failure_is_a_row(failing):
    for name, status in EXPECTED.items():
        record = json.loads((failing / f"runs/pbmc68k/{name}/truth/0/run.json").read_text())
        assert record["status"] == status, (name, record["reason"])
    table = pd.read_csv(failing / "tables" / "runs.csv")
    assert len(table) == len(EXPECTED) + 2  # random_labels always runs, and the method made here
    ranking = pd.read_csv(failing / "tables" / "ranking.csv")
    here = ranking[ranking.dataset == "pbmc68k"].set_index(["method", "variant"])
    assert here["rank"].idxmax()[0] in ("misbehave", "peek")
    assert (
        here.loc[("pca_kmeans", "described"), "rank"] < here.loc[("misbehave", "described"), "rank"]
    )
    page = (failing / "report" / "index.html").read_text()
    for word in ("this method crashes", "ran longer than", "opened ", "used more than"):
        assert word in page


def test_a_new_method_is_two_files(failing):
    assert "half_and_half" in set(pd.read_csv(failing / "tables" / "ranking.csv").method)
    for figure in ("summary", "seeds"):
        drawn = (failing / "figures" / f"{figure}.csv").read_text()
        assert "half_and_half" in drawn


def test_two_devices_are_shared_one_run_each(workflow, monkeypatch):
    """On one machine the lock files decide; CUDA does not answer, so the CPU computes."""
    monkeypatch.setenv("BLINDFOLD_GPUS", "0,1")
    monkeypatch.setenv("BLINDFOLD_LOCKS", str(workflow.folder / "locks"))
    config = workflow.config(
        "leases",
        "name: leases\ndatasets: [pbmc68k]\n"
        "methods: [{name: random_labels, gpus: 1}]\nseeds: 6\n"
        "limits: {gpus: 1, allow_cpu: true}\n",
    )
    workflow.snakemake("runs", "--configfile", config, "--cores", "4")
    found = [
        json.loads(p.read_text()) for p in workflow.folder.glob("results/*/runs/*/*/*/*/run.json")
    ]
    assert len(found) == 6
    assert lease_problems(found) == []
    assert {device for record in found for device in record["lease"]} == {"0", "1"}


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("seedz: 3\n", ["unknown key 'seedz'", "did you mean"]),
        ("seeds: many\n", ["seeds", "'many'", "integer"]),
        ("datasets: [pbmc68]\n", ["unknown dataset 'pbmc68'", "did you mean 'pbmc68k'"]),
        ("methods: [sctga]\n", ["unknown method 'sctga'", "did you mean 'sctag'"]),
        ("clusters: [1]\n", ["clusters", "greater than or equal to 2"]),
        ("clusters: [100000]\n", ["more clusters than cells"]),
    ],
)
def test_bad_configurations_end_before_the_first_job(workflow, text, words):
    output = workflow.snakemake("-n", "--configfile", workflow.config("bad", text), status=1)
    for word in words:
        assert word in output
    assert "Traceback" not in output


def test_an_unwritable_results_folder(workflow):
    (workflow.folder / "results").write_text("a file where the folder should be")
    config = workflow.config("a", "{name: a, datasets: [pbmc68k], methods: [pca_kmeans]}")
    done = workflow.blindfold("plan", "--out", "results/a", "--configfile", config)
    assert done.returncode == 1
    assert "error: cannot write" in done.stderr
    assert "Traceback" not in done.stderr
