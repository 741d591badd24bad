"""Never two supervisors for one run."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time
from itertools import pairwise
from pathlib import Path

import psutil
import pytest

from blindfold.run import alone
from blindfold.run.alone import Heartbeat, read_heartbeat

HOLD = """
import sys, time
from pathlib import Path
from blindfold.run.alone import alone
with alone(Path(sys.argv[1]), lambda: False) as claim:
    claim.tick(float(sys.argv[2]), 1.0, now=True)
    print(time.monotonic(), flush=True)
    time.sleep(float(sys.argv[2]))
    print(time.monotonic(), flush=True)
"""


def hold(out: Path, seconds: float) -> subprocess.Popen[str]:
    return subprocess.Popen(
        [sys.executable, "-c", HOLD, str(out), str(seconds)], stdout=subprocess.PIPE, text=True
    )


def test_three_at_once_work_one_after_the_other(tmp_path):
    times = sorted(
        tuple(map(float, each.communicate(timeout=30)[0].split()))
        for each in [hold(tmp_path / "run", 0.4) for _ in range(3)]
    )
    assert all(before[1] <= after[0] for before, after in pairwise(times))


def test_a_killed_one_leaves_its_costs_and_is_followed_at_once(tmp_path):
    first = hold(tmp_path, 60)
    first.stdout.readline()
    first.send_signal(signal.SIGKILL)
    first.wait()
    began = time.monotonic()
    with alone.alone(tmp_path, lambda: False) as claim:
        assert time.monotonic() - began < 5
        assert claim.before.wall_s == 60
        assert claim.before.pid == first.pid


def test_what_a_killed_one_left_is_ended_and_removed(tmp_path, monkeypatch):
    orphan = subprocess.Popen(["sleep", "60"])
    work, elsewhere = tmp_path / "work" / "abc", tmp_path / "elsewhere"
    work.mkdir(parents=True)
    elsewhere.mkdir()
    monkeypatch.setattr(alone, "WORK", work.parent)
    left = Heartbeat(work=str(work), tree=[(orphan.pid, psutil.Process(orphan.pid).create_time())])
    alone._write(alone.heartbeat_file(tmp_path), left)
    with alone.alone(tmp_path, lambda: False):
        orphan.wait(timeout=5)
        assert not work.exists()
    alone._write(alone.heartbeat_file(tmp_path), Heartbeat(work=str(elsewhere)))
    with alone.alone(tmp_path, lambda: False):
        assert elsewhere.exists()


def test_a_process_that_took_over_the_number_is_left_alone(tmp_path):
    other = subprocess.Popen(["sleep", "60"])
    alone._write(alone.heartbeat_file(tmp_path), Heartbeat(tree=[(other.pid, 12345.0)]))
    with alone.alone(tmp_path, lambda: False):
        assert other.poll() is None
    other.kill()
    other.wait()


@pytest.mark.parametrize(("age", "waits"), [(0, True), (2 * alone.STALE_S, False)])
def test_another_host_is_believed_as_long_as_its_heart_beats(tmp_path, age, waits):
    path = alone.heartbeat_file(tmp_path)
    alone._write(path, Heartbeat(host="another"))
    os.utime(path, (time.time() - age,) * 2)
    asked = []
    with alone.alone(tmp_path, lambda: bool(asked.append(1) or len(asked) > 2), 0.01) as claim:
        assert (claim is None) == waits


def test_a_damaged_heartbeat_is_none(tmp_path):
    for text in ("", "{", "[]", '{"host": 1, "other": 2}'):
        alone.heartbeat_file(tmp_path).write_text(text)
        assert read_heartbeat(tmp_path).host == ""


def test_a_heartbeat_names_the_processes_of_the_child(tmp_path):
    with alone.alone(tmp_path, lambda: False) as claim:
        child = subprocess.Popen(["sleep", "60"])
        claim.tick(1.0, 0.5, now=True)
        written = json.loads(alone.heartbeat_file(tmp_path).read_text())
        assert child.pid in [pid for pid, _ in written["tree"]]
        child.kill()
        child.wait()
