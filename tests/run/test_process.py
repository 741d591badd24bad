"""The supervisor's hold on a process tree."""

import os
import subprocess
import sys
import time
from pathlib import Path

import psutil
import pytest

from blindfold.run.child import KEEP_FREED
from blindfold.run.process import Outcome, supervise


def watch(tmp_path: Path, code: str, **change) -> Outcome:
    settings = {"limit_s": 30.0, "limit_mb": 500.0, "stopped": lambda: False, **change}
    return supervise(
        [sys.executable, "-c", code], env=dict(os.environ), cwd=tmp_path,
        log=tmp_path / "log.txt", fds=[], **settings,
    )  # fmt: skip


def test_exit_status_and_log(tmp_path):
    outcome = watch(tmp_path, "import sys; print('hello'); sys.exit(3)")
    assert (outcome.ended, outcome.exit) == ("exit", 3)
    assert (tmp_path / "log.txt").read_text() == "hello\n"


def test_a_signal_is_told_apart_from_an_exit(tmp_path):
    assert watch(tmp_path, "import os; os.kill(os.getpid(), 11)").exit == -11


@pytest.mark.skipif(sys.platform != "linux", reason="an allocator's setting, on Linux")
def test_children_keep_the_memory_of_freed_arrays():
    """A second array of 30 MiB takes no page from the system, one of 40 MiB all of them."""
    code = """
from resource import RUSAGE_SELF, getrusage
for size in (30, 40):
    for _ in range(2):
        before = getrusage(RUSAGE_SELF).ru_minflt
        bytearray(size << 20)
    print(getrusage(RUSAGE_SELF).ru_minflt - before)
"""
    env = {**os.environ, **KEEP_FREED}
    found = subprocess.check_output([sys.executable, "-c", code], env=env, text=True)
    kept, given = map(int, found.split())
    assert kept < given / 8


def test_cpu_time_and_memory_of_children_count(tmp_path):
    code = """
import subprocess, sys
burn = "import time; x = bytearray(120 << 20)\\nwhile time.process_time() < 0.6: pass"
subprocess.run([sys.executable, "-c", burn])
"""
    outcome = watch(tmp_path, code)
    assert outcome.cpu_s > 0.55
    assert 120 < outcome.peak_rss_mb < 300


def test_the_size_of_the_supervisor_is_not_the_childs(tmp_path):
    hoard = bytearray(b"x") * (300 << 20)
    assert watch(tmp_path, "import time; time.sleep(0.5)").peak_rss_mb < 100
    assert len(hoard) > 0


def test_too_long_is_a_timeout_and_nothing_is_left(tmp_path):
    code = "import subprocess, time; subprocess.Popen(['sleep', '987']); time.sleep(600)"
    outcome = watch(tmp_path, code, limit_s=1.0)
    assert outcome.ended == "timeout"
    assert outcome.wall_s < 5
    assert not alive("987")


def test_too_much_memory_is_out_of_memory(tmp_path):
    code = "import time; x = bytearray(300 << 20); time.sleep(60)"
    assert watch(tmp_path, code, limit_mb=200.0).ended == "oom"


def test_being_stopped_kills_the_tree(tmp_path):
    end = time.monotonic() + 0.5
    outcome = watch(tmp_path, "import time; time.sleep(60)", stopped=lambda: time.monotonic() > end)
    assert outcome.ended == "stopped"


def test_daemons_do_not_survive(tmp_path):
    code = """
import os, time
if os.fork() == 0:
    os.setsid()
    if os.fork() == 0:
        os.execvp("sleep", ["sleep", "986"])
    os._exit(0)
time.sleep(0.3)
"""
    assert watch(tmp_path, code).ended == "exit"
    assert not alive("986")


def test_megabytes_of_output_keep_head_and_tail(tmp_path):
    code = "print('first'); [print('x' * 9999) for _ in range(500)]; print('last')"
    watch(tmp_path, code)
    log = (tmp_path / "log.txt").read_text()
    assert log.startswith("first")
    assert log.endswith("last\n")
    assert "bytes left out" in log
    assert len(log) < 1_000_000


def alive(word: str) -> list[psutil.Process]:
    return [p for p in psutil.process_iter() if p.name() == "sleep" and word in p.cmdline()]


@pytest.fixture(autouse=True)
def _no_other_children():
    assert not psutil.Process().children(recursive=True)
