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
_METER_SHARE = 20
"""The wait between two samples is this many times what a sample takes."""


@dataclass
class Outcome:
    """How a child process ended.

    Parameters
    ----------
    ended
        ``exit`` by itself, or why it was killed: ``timeout``, ``cpu``, ``oom`` or ``stopped``.
    exit
        Exit status; negative for a signal.
    wall_s, cpu_s
        Seconds; CPU seconds of the whole tree.
    peak_rss_mb
        Peak resident memory of the whole tree, MiB: pages that processes share count once, and no
        process counts for less than the kernel's own peak of it.
    host_ran_out
        Whether the kernel ended processes of this host for want of memory meanwhile.
    waited_s
        Seconds that the thread which waited longest was ready and got no processor; asked for only
        after a timeout.
    load
        Load of the host at the end, over one minute.
    """

    ended: str
    exit: int
    wall_s: float
    cpu_s: float
    peak_rss_mb: float
    host_ran_out: bool = False
    waited_s: float = 0.0
    load: float = 0.0

    @property
    def starved(self) -> bool:
        """Whether others had the processors: it waited most of the time and got under a half."""
        return self.waited_s > self.wall_s / 2 > self.cpu_s

    def usage(self) -> str:
        """Return processor and wall-clock time, the wait and the load, in words."""
        return (
            f"{self.cpu_s:.0f} s of processor time in {self.wall_s:.0f} s, of which it waited "
            f"{self.waited_s:.0f} s for a processor; load {self.load:.1f}"
        )


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
    limit_cpu_s: float | None = None,
    tick: Callable[[float, float], None] = lambda wall_s, cpu_s: None,
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
    limit_cpu_s
        Processor seconds of the whole tree after which it is killed, where asked for.
    tick
        Called regularly with wall-clock and CPU seconds so far.
    """
    _adopt_orphans()
    others = set(psutil.Process().children(recursive=True))
    start, victims = time.monotonic(), _victims_of_the_kernel()
    child = subprocess.Popen(
        command, env=env, cwd=cwd, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT, start_new_session=True, pass_fds=fds,
    )  # fmt: skip
    assert child.stdout is not None
    copying = threading.Thread(target=_copy_output, args=(child.stdout, log), daemon=True)
    copying.start()
    meter = _TreeMeter(others)
    ended, waited_s = "exit", 0.0
    try:
        while os.waitid(os.P_PID, child.pid, os.WEXITED | os.WNOWAIT | os.WNOHANG) is None:
            began = time.monotonic()
            rss_mb = meter.sample()
            if stopped():
                ended = "stopped"
            elif rss_mb > limit_mb:
                ended = "oom"
            elif time.monotonic() - start > limit_s:
                ended = "timeout"
            elif limit_cpu_s is not None and meter.cpu_s > limit_cpu_s:
                ended = "cpu"
            if ended != "exit":
                break
            tick(time.monotonic() - start, meter.cpu_s)
            time.sleep(max(_POLL_S, _METER_SHARE * (time.monotonic() - began)))
        wall_s = time.monotonic() - start
        meter.sample()
        if ended == "timeout":
            waited_s = meter.waited_s()
    except BaseException:
        ended = "error"
        raise
    finally:
        cpu_s, status = _kill_and_reap(child.pid, others, keep_status=ended == "exit")
        child.returncode = status
        copying.join(timeout=10)
    ran_out = _victims_of_the_kernel() > victims
    cpu_s = max(cpu_s, meter.cpu_s)
    load = os.getloadavg()[0]
    return Outcome(ended, status, wall_s, cpu_s, meter.peak_mb, ran_out, waited_s, load)


class _TreeMeter:
    """Sums memory and CPU time over the processes that were not there before."""

    def __init__(self, others: set[psutil.Process]) -> None:
        self.others = others
        self.peak_mb = 0.0
        self.cpu_s = 0.0
        self._cpu: dict[psutil.Process, float] = {}

    def sample(self) -> float:
        """Return the tree's memory now, MiB."""
        sizes = {}
        for process in set(psutil.Process().children(recursive=True)) - self.others:
            with contextlib.suppress(psutil.Error):
                sizes[process] = process.memory_info().rss
                self.peak_mb = max(self.peak_mb, _kernels_peak_mb(process))
                times = process.cpu_times()
                self._cpu[process] = times.user + times.system
        size = sum(sizes.values()) / 2**20
        if len(sizes) > 1 and size > self.peak_mb:
            # What forks share counts once; asking for it takes longer, so only where it matters.
            size = sum(map(_own_share, sizes)) / 2**20
        self.peak_mb = max(self.peak_mb, size)
        self.cpu_s = sum(self._cpu.values())
        return size

    def waited_s(self) -> float:
        """Return how long the thread that waited longest was ready and got no processor (Linux)."""
        waits = [0.0]
        for process in set(psutil.Process().children(recursive=True)) - self.others:
            for path in Path(f"/proc/{process.pid}/task").glob("*/schedstat"):
                with contextlib.suppress(OSError, ValueError, IndexError):
                    waits.append(int(path.read_text().split()[1]) / 1e9)
        return max(waits)


def _own_share(process: psutil.Process) -> int:
    """Return a process's memory in bytes, where a page shared by n counts one nth."""
    with contextlib.suppress(psutil.Error, AttributeError):
        return int(process.memory_full_info().pss)
    return 0


def _kernels_peak_mb(process: psutil.Process) -> float:
    """Return the most memory that one process ever had, MiB, which no sampling misses (Linux)."""
    with contextlib.suppress(OSError, ValueError):
        for line in Path(f"/proc/{process.pid}/status").read_text().splitlines():
            if line.startswith("VmHWM:"):
                return int(line.split()[1]) / 1024
    return 0.0


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


def _victims_of_the_kernel() -> int:
    """Return how many processes this host's kernel has ended for want of memory (Linux)."""
    with contextlib.suppress(OSError, ValueError):
        for line in Path("/proc/vmstat").read_text().splitlines():
            if line.startswith("oom_kill "):
                return int(line.split()[1])
    return 0


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
