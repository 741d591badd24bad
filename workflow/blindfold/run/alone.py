"""One supervisor per run, wherever it was started from.

A supervisor holds a lock on a file in the run's folder, which ends with its process, and writes a
heartbeat beside it, which other hosts of a shared file system can see. Who comes second waits, and
then either finds the run done or goes on where a killed one stopped. The heartbeat also says what
a killed attempt left behind: processes, a folder, and what it had cost.
"""

from __future__ import annotations

import contextlib
import fcntl
import json
import os
import shutil
import socket
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import asdict, dataclass, field
from pathlib import Path

import psutil

from blindfold.core import io
from blindfold.core.layout import WORK

BEAT_S = 5.0
STALE_S = 60.0
"""Seconds without a heartbeat after which a supervisor of another host counts as gone."""


@dataclass
class Heartbeat:
    """
    What a supervisor writes of itself while it works.

    Parameters
    ----------
    host, pid
        Where it runs.
    wall_s, cpu_s
        What the run has cost so far, with the attempts that it goes on from.
    work
        The child's folder.
    tree
        Process id and start time of every process of the child.
    """

    host: str = field(default_factory=socket.gethostname)
    pid: int = field(default_factory=os.getpid)
    wall_s: float = 0.0
    cpu_s: float = 0.0
    work: str | None = None
    tree: list[tuple[int, float]] = field(default_factory=list)


class Claim:
    """The hold of one supervisor on its run."""

    def __init__(self, out: Path, before: Heartbeat) -> None:
        self.path = heartbeat_file(out)
        self.before = before
        self.beat = Heartbeat()
        self.last = 0.0

    def tick(self, wall_s: float, cpu_s: float, now: bool = False) -> None:
        """Write the heartbeat where the last is some seconds old; a full disk ends nothing."""
        self.beat.wall_s, self.beat.cpu_s = wall_s, cpu_s
        if now or time.monotonic() - self.last >= BEAT_S:
            self.last = time.monotonic()
            children = psutil.Process().children(recursive=True)
            self.beat.tree = [(each.pid, each.create_time()) for each in children]
            with contextlib.suppress(OSError, psutil.Error):
                _write(self.path, self.beat)


def heartbeat_file(out: Path) -> Path:
    """Return where the supervisor of a run writes its heartbeat."""
    return out / "supervisor.json"


@contextmanager
def alone(out: Path, stopped: Callable[[], bool], poll_s: float = 0.5) -> Iterator[Claim | None]:
    """
    Wait until no other supervisor works on a run, and keep others out.

    Parameters
    ----------
    out
        The run's folder.
    stopped
        Asked while waiting; True ends the wait, and None is yielded.
    poll_s
        Seconds between two looks.
    """
    with io.explain_write_errors(out):
        out.mkdir(parents=True, exist_ok=True)
        handle = (out / "supervisor.lock").open("a")
    with handle:
        while not (_locked(handle.fileno()) and not _alive_elsewhere(heartbeat_file(out))):
            if stopped():
                yield None
                return
            time.sleep(poll_s)
        before = read_heartbeat(out)
        _clear(before)
        yield Claim(out, before)


def read_heartbeat(out: Path) -> Heartbeat:
    """Return the last heartbeat of an attempt that did not end by itself; an empty one without."""
    with contextlib.suppress(OSError, ValueError, TypeError):
        return Heartbeat(**json.loads(heartbeat_file(out).read_text()))
    return Heartbeat(host="", pid=0)


def _write(path: Path, beat: Heartbeat) -> None:
    partial = path.with_suffix(f".{os.getpid()}.partial")
    try:
        partial.write_text(json.dumps(asdict(beat)))
        os.replace(partial, path)
    finally:
        partial.unlink(missing_ok=True)


def _locked(descriptor: int) -> bool:
    """Try to take the lock; another process of this host holds it where that fails."""
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        return False
    except OSError:  # a file system without locks: the heartbeat decides
        return True
    return True


def _alive_elsewhere(path: Path) -> bool:
    """Tell whether a supervisor of another host wrote a heartbeat a short while ago."""
    beat = read_heartbeat(path.parent)
    if beat.host in ("", socket.gethostname()):
        return False
    try:
        age = time.time() - path.stat().st_mtime
    except OSError:
        return False
    return age < STALE_S


def _clear(before: Heartbeat) -> None:
    """End the processes of a killed attempt and remove its folder."""
    if before.host == socket.gethostname():
        for pid, started in before.tree:
            with contextlib.suppress(psutil.Error):
                process = psutil.Process(pid)
                if process.create_time() == started:
                    process.kill()
                    process.wait(timeout=10)
    if before.work is not None and Path(before.work).parent == WORK.resolve():
        shutil.rmtree(before.work, ignore_errors=True)
