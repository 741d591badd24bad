"""A run that is killed goes on where it was, and what it kept reaches nobody else."""

from __future__ import annotations

import json
import subprocess
import sys
import time
from dataclasses import replace
from pathlib import Path

import psutil
import pytest

from blindfold.core.layout import STATES
from blindfold.run import checkpoint
from blindfold.run.key import decided_by
from blindfold.run.key import key as hash_of
from blindfold.run.request import Request, resolve
from blindfold.run.run import run
from blindfold.run.walls import protect
from tests.conftest import REPOSITORY

FILES = ("clusters.parquet", "embedding.npy", "trace.parquet", "snapshots.parquet")
START = """
import pickle, sys
from blindfold.run.run import run
run(pickle.load(sys.stdin.buffer))
"""
SETTINGS = {
    "sctag": {"epochs": 60, "cluster_epochs": 30, "n_genes": 20},
    "scgnn": {"epochs": 20, "cluster_epochs": 10, "graph_epochs": 20, "iterations": 6,
              "stop": "both", "stop_ari": 1.0},
}  # fmt: skip


def request(blinded: Path, method: str, sandbox: str, out: str = "0") -> Request:
    folder = blinded.parents[2] / "runs" / "d" / method / "3" / out
    return Request(
        method=method, input=blinded, out=folder, seed=5, clusters="3", snapshots=3,
        params=SETTINGS[method], sandbox=sandbox, checkpoint_s=0.0,
    )  # fmt: skip


def states(wanted: Request) -> list[Path]:
    """Return what a run has kept."""
    note = wanted.out / "state.txt"
    return list((STATES / note.read_text()).glob("state")) if note.is_file() else []


def key(wanted: Request) -> str:
    return hash_of(decided_by(resolve(wanted), "an environment", 0))


def kill_in_the_middle(wanted: Request, number: int) -> None:
    """Start a supervisor and kill -9 it once its method has written some states."""
    import pickle

    supervisor = subprocess.Popen(
        [sys.executable, "-c", START], cwd=REPOSITORY, stdin=subprocess.PIPE
    )
    assert supervisor.stdin is not None
    supervisor.stdin.write(pickle.dumps(wanted))
    supervisor.stdin.close()
    seen: set[int] = set()
    deadline = time.monotonic() + 120
    while len(seen) < number and supervisor.poll() is None and time.monotonic() < deadline:
        seen |= {path.stat().st_ino for path in states(wanted)}
        time.sleep(0.002)
    supervisor.kill()
    supervisor.wait()
    # a supervisor that ran in this process before made it heir of such orphans
    psutil.wait_procs(psutil.Process().children(recursive=True), timeout=5)
    assert len(seen) == number
    assert not (wanted.out / "run.json").exists()


@pytest.mark.parametrize(("method", "sandbox"), [("sctag", "auto"), ("scgnn", "tripwire")])
def test_killed_and_started_again_gives_the_same_bytes(blinded, method, sandbox):
    wanted = request(blinded, method, sandbox)
    kill_in_the_middle(wanted, 2)
    assert run(wanted) == 0
    record = json.loads((wanted.out / "run.json").read_text())
    assert record["status"] == "ok", record["reason"]
    assert record["notes"]["resumed_after_s"] > 0
    assert not states(wanted)
    assert record["wall_s"] > record["notes"]["resumed_after_s"]
    other = request(blinded, method, sandbox, "undisturbed")
    assert run(other) == 0
    undisturbed = json.loads((other.out / "run.json").read_text())
    assert "resumed_after_s" not in undisturbed["notes"]
    for name in FILES:
        assert (wanted.out / name).read_bytes() == (other.out / name).read_bytes(), name


def test_what_decides_the_result_has_its_own_folder(blinded):
    first = request(blinded, "sctag", "tripwire")
    before = key(first)
    assert key(replace(first, minutes=1, attempt=2, memory_gb=1, hide=(blinded,))) == before
    for change in (
        {"seed": 6},
        {"clusters": "4"},
        {"snapshots": 0},
        {"method": "sctag@released"},
        {"params": {**SETTINGS["sctag"], "epochs": 61}},
    ):
        assert key(replace(first, **change)) != before, change
    assert hash_of(decided_by(resolve(first), "another environment", 0)) != before
    assert hash_of(decided_by(resolve(first), "an environment", 1)) != before
    blinded.write_bytes(blinded.read_bytes() + b" ")
    assert key(first) != before


def test_what_another_run_left_is_removed_before_a_method_starts(blinded):
    wanted = request(blinded, "sctag", "tripwire")
    folder = checkpoint.own_folder(wanted.out, key(wanted))
    (folder / "state").write_bytes(b"a message")
    assert (checkpoint.own_folder(wanted.out, key(wanted)) / "state").exists()
    elsewhere = checkpoint.own_folder(wanted.out.parent / "1", key(wanted))
    assert elsewhere != folder
    other = checkpoint.own_folder(wanted.out, key(replace(wanted, seed=6)))
    assert not folder.exists()
    assert not list(other.iterdir())
    for out in (wanted.out, wanted.out.parent / "1"):
        checkpoint.discard(out)
    assert not other.exists()
    assert not elsewhere.exists()


def test_a_damaged_state_is_ignored_with_a_line_in_the_log(blinded):
    wanted = replace(
        request(blinded, "sctag", "tripwire"), params={"epochs": 5, "cluster_epochs": 5}
    )
    python = Path(sys.executable)
    decided = hash_of(decided_by(resolve(wanted), protect("tripwire", python).environment, 0))
    folder = checkpoint.own_folder(wanted.out, decided)
    (folder / "state").write_bytes(b"\x80\x05 no state at all" * 9)
    assert run(wanted) == 0
    record = json.loads((wanted.out / "run.json").read_text())
    assert record["status"] == "ok"
    assert "damaged" in (wanted.out / "log.txt").read_text()
    assert not states(wanted)
