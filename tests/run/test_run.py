"""Every way a method can end, and what stands in its record."""

import contextlib
import json
import os
import signal
import subprocess
import sys
import time
from dataclasses import replace
from pathlib import Path

import anndata
import numpy as np
import pandas as pd
import psutil
import pytest
from PIL import Image

from blindfold.core import io
from blindfold.core.errors import BlindfoldError
from blindfold.run import record
from blindfold.run.process import Outcome
from blindfold.run.request import Request, planned
from blindfold.run.run import _more_threads, run
from tests.conftest import REPOSITORY, needs_bwrap

BAD = (str(REPOSITORY / "tests" / "bad_methods"),)


def request(blinded: Path, method: str, **change) -> Request:
    out = blinded.parents[2] / "runs" / "d" / method / "3" / "0"
    return Request(
        method=method, input=blinded, out=out, seed=5, record_only=True,
        **{"clusters": "3", "methods_path": BAD, "sandbox": "tripwire", **change},
    )  # fmt: skip


def end(wanted: Request) -> dict:
    assert run(wanted) == 0
    return json.loads((wanted.out / "run.json").read_text())


def vault(blinded: Path) -> dict[str, str]:
    return {"vault": str(blinded.parents[2] / "vault" / "d")}


@pytest.mark.parametrize(
    ("method", "change", "status", "word"),
    [
        ("misbehave", {}, "crash", "this method crashes"),
        ("misbehave@leak", {"memory_gb": 0.5}, "oom", "0.5 GiB"),
        ("misbehave@hang", {"minutes": 0.05}, "timeout", "0.05 minutes"),
        ("misbehave@nan", {}, "invalid", "NaN"),
        ("misbehave@short", {}, "invalid", "(10,)"),
        ("diverges", {}, "crash", "loss component 'zinb' is nan in epoch 4 of 10"),
        ("diverges@scrcl", {}, "crash", "loss component 'consistency' is nan in epoch 4 of 5"),
        ("diverges@scgnn", {}, "crash", "loss component 'feature' is nan in epoch 4 of "),
        ("misbehave@noisy", {}, "ok", None),
        ("misbehave@forks", {}, "ok", None),
    ],
)
def test_status_and_reason(blinded, work, method, change, status, word):
    found = end(request(blinded, method, **change))
    assert found["status"] == status
    assert (word in found["reason"]) if word else found["reason"] is None
    assert not psutil.Process().children(recursive=True)
    folder = request(blinded, method).out
    assert (folder / "clusters.parquet").exists() == (status == "ok")
    assert not list(work.iterdir())


@pytest.mark.parametrize(
    "sandbox", ["tripwire", "landlock", pytest.param("bwrap", marks=needs_bwrap)]
)
@pytest.mark.parametrize(
    "how", ["peek", "peek@os_open", "peek@mmap", "peek@h5py", "peek@pyarrow", "peek@symlink",
            "peek@package"],
)  # fmt: skip
def test_opening_what_is_hidden_is_invalid(blinded, how, sandbox):
    found = end(request(blinded, how, sandbox=sandbox, params=vault(blinded)))
    assert found["status"] == "invalid"
    assert found["reason"].startswith("opened ")
    assert "vault" in found["reason"] or "scanpy" in found["reason"]
    assert found["sandbox"] == sandbox


def test_without_protection_a_cheat_gets_through(blinded):
    """The canary, not the wall, has to find it: see tests/e2e."""
    wanted = request(blinded, "nosy", sandbox="none", params=vault(blinded))
    assert end(wanted)["status"] == "ok"
    assert pd.read_parquet(wanted.out / "clusters.parquet")["cluster"].nunique() == 2


def test_the_record_is_whole(blinded):
    found = end(request(blinded, "misbehave@noisy", repeat=2, params={"how": "noisy"}))
    assert found["method"] == "misbehave"
    assert found["variant"] == "noisy"
    assert (found["k"], found["seed"], found["params"]["seed"]) == ("3", 2, 5)
    assert found["n_clusters"] == 2
    for name in ("wall_s", "cpu_s", "fit_s", "peak_rss_mb"):
        assert found[name] > 0
    assert set(found["hashes"]) == {"input", "code", "environment"}
    assert all(found["hashes"].values())
    assert found["device"] == "cpu"
    assert found["lease"] == []
    assert found["versions"]["python"]
    assert found["started"] < found["ended"]


@pytest.mark.parametrize("clusters", ["1", "61", "many", "0"])
def test_an_impossible_k_is_refused(blinded, clusters):
    with pytest.raises(BlindfoldError, match="impossible number of clusters") as error:
        run(request(blinded, "misbehave", clusters=clusters))
    assert "2 to 60" in str(error.value)


def test_a_truncated_input_is_refused(blinded):
    blinded.write_bytes(blinded.read_bytes()[:-2000])
    with pytest.raises(BlindfoldError, match=r"truncated[\s\S]*input\.h5ad"):
        run(request(blinded, "misbehave"))


def test_a_changed_input_is_refused(blinded):
    card = {"dataset": "d", "n_clusters": 2, "input_sha256": "0" * 64, "modality": "scrna"}
    (blinded.parent / "card.json").write_text(json.dumps(card))
    with pytest.raises(BlindfoldError, match="was changed"):
        run(request(blinded, "misbehave"))


def test_what_cannot_run_here_is_unavailable(blinded, tmp_path):
    folder = tmp_path / "more" / "placed"
    folder.mkdir(parents=True)
    card = (REPOSITORY / "tests/bad_methods/nosy/method.yaml").read_text()
    (folder / "method.yaml").write_text(card + "needs: [coordinates]\n")
    found = end(request(blinded, "placed", methods_path=(str(folder.parent),)))
    assert found["status"] == "unavailable"
    assert "coordinates" in found["reason"]


def test_a_method_that_needs_counts_does_not_run_on_expression(blinded, tmp_path):
    folder = tmp_path / "more" / "counting"
    folder.mkdir(parents=True)
    card = (REPOSITORY / "tests/bad_methods/nosy/method.yaml").read_text()
    (folder / "method.yaml").write_text(card + "needs: [counts]\n")
    facts = {"dataset": "d", "n_clusters": 3, "modality": "scrna", "values": "expression"}
    (blinded.parent / "card.json").write_text(json.dumps(facts))
    found = end(request(blinded, "counting", methods_path=(str(folder.parent),)))
    assert (found["status"], "expression" in found["reason"]) == ("unavailable", True)


USES = """
import numpy as np
from methods.contract import Result

def fit(data, params, job):
    placed = data.coordinates is not None
    return Result(clusters=np.arange(len(data.counts.indptr) - 1) % (3 if placed else 2))
"""


@pytest.mark.parametrize("placed", [True, False])
def test_coordinates_that_a_method_uses_are_given_where_there_are_any(blinded, tmp_path, placed):
    folder = tmp_path / "more" / "flexible"
    folder.mkdir(parents=True)
    card = (REPOSITORY / "tests/bad_methods/nosy/method.yaml").read_text()
    (folder / "method.yaml").write_text(card + "uses: [coordinates]\n")
    (folder / "model.py").write_text(USES)
    if placed:
        adata = anndata.read_h5ad(blinded)
        adata.obsm["spatial"] = np.arange(2.0 * adata.n_obs).reshape(-1, 2)
        adata.write_h5ad(blinded)
    found = end(request(blinded, "flexible", methods_path=(str(folder.parent),)))
    assert (found["status"], found["n_clusters"]) == ("ok", 3 if placed else 2)


SEES = """
import numpy as np
from methods.contract import Result

def fit(data, params, job):
    seen = data.image is not None and data.image.shape == (4, 6, 3) and data.scale == 0.5
    return Result(clusters=np.arange(len(data.counts.indptr) - 1) % (3 if seen else 2))
"""


@pytest.mark.parametrize("pictured", [True, False])
def test_an_image_that_a_method_uses_is_given_where_there_is_one(blinded, tmp_path, pictured):
    folder = tmp_path / "more" / "seeing"
    folder.mkdir(parents=True)
    card = (REPOSITORY / "tests/bad_methods/nosy/method.yaml").read_text()
    (folder / "method.yaml").write_text(card + "uses: [image]\n")
    (folder / "model.py").write_text(SEES)
    if pictured:
        Image.fromarray(np.zeros((4, 6), np.uint8)).save(blinded.parent / "image.png")
        adata = anndata.read_h5ad(blinded)
        adata.uns["blindfold"] = {**adata.uns.get("blindfold", {}), "scale": 0.5}
        adata.write_h5ad(blinded)
    found = end(request(blinded, "seeing", methods_path=(str(folder.parent),)))
    assert (found["status"], found["n_clusters"]) == ("ok", 3 if pictured else 2)


def test_features_of_the_image_are_given_to_a_method_that_looks_at_images(blinded, tmp_path):
    folder = tmp_path / "more" / "seeing"
    folder.mkdir(parents=True)
    card = (REPOSITORY / "tests/bad_methods/nosy/method.yaml").read_text()
    (folder / "method.yaml").write_text(card + "uses: [image]\n")
    np.save(blinded.parent / "image_features.npy", np.ones((anndata.read_h5ad(blinded).n_obs, 2)))
    text = SEES.split("seen = ")[0]
    text += "seen = data.image is None and data.image_features.shape == (data.n_cells, 2)\n"
    text += "    return Result(clusters=np.arange(data.n_cells) % (3 if seen else 2))\n"
    (folder / "model.py").write_text(text)
    found = end(request(blinded, "seeing", methods_path=(str(folder.parent),)))
    assert (found["status"], found["n_clusters"]) == ("ok", 3)


def test_no_device_is_unavailable_unless_the_cpu_is_allowed(blinded, monkeypatch):
    monkeypatch.setenv("BLINDFOLD_GPUS", "")
    found = end(request(blinded, "misbehave@noisy", gpus=1))
    assert found["status"] == "unavailable"
    found = end(request(blinded, "misbehave@noisy", gpus=1, allow_cpu=True))
    assert (found["status"], found["device"], found["lease"]) == ("ok", "cpu", [])


def test_out_of_memory_asks_for_another_attempt(blinded):
    wanted = request(blinded, "misbehave@leak", memory_gb=0.4, attempt=1, last_attempt=2)
    assert run(wanted) == os.EX_TEMPFAIL
    assert not (wanted.out / "run.json").exists()


def test_two_killed_attempts_become_a_killed_row(blinded):
    wanted = request(blinded, "misbehave@noisy", attempt=3)
    for attempt in (1, 2):
        record.journal(wanted.out, attempt, "start")
    found = end(wanted)
    assert found["status"] == "killed"
    assert "2 attempts" in found["reason"]


def test_a_first_attempt_forgets_what_was_before(blinded):
    wanted = request(blinded, "misbehave@noisy", attempt=2)
    for attempt in (1, 2, 1):
        record.journal(wanted.out, attempt, "start")
    assert record.killed_attempts(wanted.out, 2) == 1
    assert end(wanted)["status"] == "ok"


@pytest.mark.parametrize(("number", "status"), [(signal.SIGTERM, 143), (signal.SIGINT, 130)])
def test_a_signal_leaves_no_record_and_no_process(blinded, number, status):
    wanted = request(blinded, "misbehave@hang")
    supervisor = start_hanging(wanted)
    tree = psutil.Process(supervisor.pid).children(recursive=True)
    supervisor.send_signal(number)
    assert supervisor.wait(timeout=20) == status
    assert not any(process.is_running() for process in tree)
    assert not (wanted.out / "run.json").exists()
    last = (wanted.out / "attempts.jsonl").read_text().splitlines()[-1]
    assert json.loads(last)["event"] == "killed"


def test_a_killed_supervisor_takes_its_child_along(blinded):
    supervisor = start_hanging(request(blinded, "misbehave@hang"))
    tree = psutil.Process(supervisor.pid).children(recursive=True)
    supervisor.kill()
    supervisor.wait()
    wait_for(lambda: all(gone(process) for process in tree))


def start_hanging(wanted: Request) -> subprocess.Popen:
    """Start a supervisor by the command line and wait until its method hangs."""
    command = [
        sys.executable, "-m", "blindfold.cli", "run", "--method", wanted.method,
        "--input", str(wanted.input), "--seed", "0", "--clusters", "3", "--out", str(wanted.out),
        "--methods-path", BAD[0], "--sandbox", "tripwire",
    ]  # fmt: skip
    supervisor = subprocess.Popen(command, cwd=REPOSITORY)
    wait_for(lambda: runs_its_method(supervisor.pid))
    time.sleep(1.5)
    return supervisor


def runs_its_method(supervisor: int) -> bool:
    with contextlib.suppress(psutil.Error):
        children = psutil.Process(supervisor).children()
        return any("methods.runner" in child.cmdline() for child in children)
    return False


def gone(process: psutil.Process) -> bool:
    """Tell whether a process ended; its zombie may wait for this test process, its new parent."""
    with contextlib.suppress(ChildProcessError):
        os.waitpid(process.pid, os.WNOHANG)
    return not process.is_running()


def wait_for(condition, seconds: float = 20) -> None:
    end_at = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < end_at
        time.sleep(0.05)


def test_no_descriptor_is_left_open_or_closed_twice(blinded):
    run(request(blinded, "misbehave@noisy"))
    before = set(os.listdir("/proc/self/fd"))
    for _ in range(5):
        run(request(blinded, "misbehave@noisy"))
    assert set(os.listdir("/proc/self/fd")) == before


def test_by_hand_the_exit_status_tells(blinded):
    """0 where it ended ok or does not apply, 3 where it failed; there is a record in any case."""
    ends = {"misbehave@noisy": 0, "misbehave": 3}
    for method, expected in ends.items():
        wanted = replace(request(blinded, method), record_only=False)
        assert run(wanted) == expected, method
        assert (wanted.out / "run.json").is_file()


def test_a_limit_of_processor_time_ends_a_run(blinded):
    record = end(request(blinded, "misbehave@spin", cpu_minutes=0.03))
    assert record["status"] == "timeout"
    assert "0.03 minutes of processor time" in record["reason"]


def test_a_run_that_got_no_processor_is_not_charged():
    starved = Outcome("timeout", -9, wall_s=60, cpu_s=9, peak_rss_mb=1, waited_s=50, load=40)
    assert starved.starved
    assert "load 40.0" in starved.usage()
    for other in ({"waited_s": 1}, {"cpu_s": 55}):  # it slept, or it worked
        assert not replace(starved, **other).starved, other


def test_the_canary_takes_over_no_finished_run(blinded, tmp_path):
    """Its blinded input is the same as that of the benchmark, so that every run would be found."""
    for canary, expected in ((False, ("results/other",)), (True, ())):
        config = {"methods_path": BAD, "snapshots": 0, "reuse": ["results/other"]}
        limits = {"allow_cpu": False, "cpu_minutes": None}
        written = {"config": {**config, "limits": limits, "canary": canary}, "hidden": []}
        io.write_json(tmp_path / "plan.json", {**written, "params": {"misbehave": {}}})
        made = planned(request(blinded, "misbehave"), tmp_path / "plan.json")
        assert made.reuse == expected, canary


def test_a_plan_of_an_older_version_is_said(blinded, tmp_path):
    (tmp_path / "plan.json").write_text('{"config": {}}')
    with pytest.raises(BlindfoldError, match="older version"):
        planned(request(blinded, "misbehave"), tmp_path / "plan.json")


@pytest.mark.parametrize(
    ("threads", "wall_s", "cpu_s", "told"),
    [(1, 60, 63, None), (1, 60, 180, "used 3.0 processors, its card states 1 threads"),
     (4, 60, 240, None), (1, 2, 8, None)],
)  # fmt: skip
def test_more_processors_than_the_card_states_are_told(threads, wall_s, cpu_s, told):
    assert _more_threads(threads, wall_s, cpu_s) == told


def test_what_failed_by_the_supervisors_word_is_tried_again_and_a_crash_is_not(blinded):
    """A run of the same key: what the supervisor called invalid it may call so no more."""
    for method, again in (
        ("misbehave", False),
        ("misbehave@nan", True),
        ("misbehave@noisy", False),
    ):
        wanted = request(blinded, method)
        first, second = end(wanted), end(wanted)
        assert (first["started"] != second["started"]) is again, method
        assert first["status"] == second["status"]
