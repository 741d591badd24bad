"""Start a child process, watch its whole process tree, and end it."""

from __future__ import annotations

import contextlib
import ctypes
import os
import signal
import subprocess
import sys
import threading
import time
from collections import deque
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import IO

import psutil

_HEAD = 512 * 1024
_TAIL = 128 * 1024
_POLL_S = 0.1


@dataclass
class Outcome:
    """How a child process ended.

    Parameters
    ----------
    ended
        ``exit`` by itself, or why it was killed: ``timeout``, ``oom`` or ``stopped``.
    exit
        Exit status; negative for a signal.
    wall_s, cpu_s
        Seconds; CPU seconds of the whole tree.
    peak_rss_mb
        Peak resident memory of the whole tree, MiB, as sampled ten times a second.
    """

    ended: str
    exit: int
    wall_s: float
    cpu_s: float
    peak_rss_mb: float


def supervise(
    command: list[str],
    *,
    env: dict[str, str],
    cwd: Path,
    log: Path,
    fds: list[int],
    limit_s: float,
    limit_mb: float,
    stopped: Callable[[], bool],
) -> Outcome:
    """Run a command within limits and leave no process of it behind.

    Parameters
    ----------
    command, env, cwd
        What to run, with exactly this environment.
    log
        Gets standard output and error, without the middle where there are megabytes.
    fds
        File descriptors handed to the child.
    limit_s
        Wall-clock seconds after which the tree is killed.
    limit_mb
        Resident MiB of the whole tree above which it is killed.
    stopped
        Asked regularly; True kills the tree.
    """
    _adopt_orphans()
    others = set(psutil.Process().children(recursive=True))
    start = time.monotonic()
    child = subprocess.Popen(
        command, env=env, cwd=cwd, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT, start_new_session=True, pass_fds=fds,
    )  # fmt: skip
    assert child.stdout is not None
    copying = threading.Thread(target=_copy_output, args=(child.stdout, log), daemon=True)
    copying.start()
    meter = _TreeMeter(others)
    ended = "exit"
    while os.waitid(os.P_PID, child.pid, os.WEXITED | os.WNOWAIT | os.WNOHANG) is None:
        rss_mb = meter.sample()
        if stopped():
            ended = "stopped"
        elif rss_mb > limit_mb:
            ended = "oom"
        elif time.monotonic() - start > limit_s:
            ended = "timeout"
        if ended != "exit":
            break
        time.sleep(_POLL_S)
    wall_s = time.monotonic() - start
    meter.sample()
    cpu_s, status = _kill_and_reap(child.pid, others, keep_status=ended == "exit")
    child.returncode = status
    copying.join(timeout=10)
    return Outcome(ended, status, wall_s, max(cpu_s, meter.cpu_s), meter.peak_mb)


class _TreeMeter:
    """Sums memory and CPU time over the processes that were not there before."""

    def __init__(self, others: set[psutil.Process]) -> None:
        self.others = others
        self.peak_mb = 0.0
        self.cpu_s = 0.0
        self._cpu: dict[psutil.Process, float] = {}

    def sample(self) -> float:
        """Return the tree's resident memory now, MiB."""
        rss = 0
        for process in set(psutil.Process().children(recursive=True)) - self.others:
            with contextlib.suppress(psutil.Error):
                rss += process.memory_info().rss
                times = process.cpu_times()
                self._cpu[process] = times.user + times.system
        self.peak_mb = max(self.peak_mb, rss / 2**20)
        self.cpu_s = sum(self._cpu.values())
        return rss / 2**20


def _kill_and_reap(pid: int, others: set[psutil.Process], keep_status: bool) -> tuple[float, int]:
    """Kill and reap everything that is left; return CPU seconds and the child's exit status."""
    cpu_s, status = 0.0, 0
    if keep_status:
        _, code, usage = os.wait4(pid, 0)
        status, cpu_s = os.waitstatus_to_exitcode(code), usage.ru_utime + usage.ru_stime
    while left := set(psutil.Process().children(recursive=True)) - others:
        for process in left:
            with contextlib.suppress(psutil.Error):
                process.send_signal(signal.SIGKILL)
        for process in left:
            with contextlib.suppress(ChildProcessError):
                reaped, code, usage = os.wait4(process.pid, 0)
                cpu_s += usage.ru_utime + usage.ru_stime
                status = os.waitstatus_to_exitcode(code) if reaped == pid else status
    return cpu_s, status


def _copy_output(stream: IO[bytes], log: Path) -> None:
    """Copy a stream to the log: the head at once, of the rest the end only."""
    written = dropped = kept = 0
    tail: deque[bytes] = deque()
    with log.open("wb", buffering=0) as handle:
        while chunk := stream.read1(65536):  # type: ignore[attr-defined]
            if written < _HEAD:
                written += handle.write(chunk)
                continue
            tail.append(chunk)
            kept += len(chunk)
            while kept - len(tail[0]) > _TAIL:
                kept -= len(tail[0])
                dropped += len(tail.popleft())
        if dropped:
            handle.write(f"\n... {dropped} bytes left out ...\n".encode())
        handle.write(b"".join(tail))


def _adopt_orphans() -> None:
    """Become the parent of orphaned descendants, so that none escapes (on Linux)."""
    if sys.platform == "linux":
        ctypes.CDLL(None).prctl(36, 1)
