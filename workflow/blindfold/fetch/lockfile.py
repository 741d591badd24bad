"""Entries of the lockfile, and the locks that let one job at a time write to the cache."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime
from pathlib import Path

from filelock import FileLock, Timeout

from blindfold.core import io
from blindfold.core.locked import LOCKFILE, LockedFile, read_lockfile
from blindfold.core.log import log


def add_to_lockfile(cache: Path, name: str, sha256: str, size: int, source: str) -> None:
    """Enter a file that was downloaded for the first time."""
    with file_lock(cache, LOCKFILE):
        now = datetime.now(UTC).isoformat(timespec="seconds")
        entry = LockedFile(sha256=sha256, bytes=size, url=source, first_seen=now)
        files = read_lockfile(cache) | {name: entry}
        io.write_json(cache / LOCKFILE, {key: files[key].model_dump() for key in sorted(files)})


@contextmanager
def file_lock(cache: Path, name: str) -> Iterator[None]:
    """Hold the lock of a file in the cache; wait where another job, on any machine, holds it.

    Parameters
    ----------
    cache
        The folder of downloads; the locks lie in its ``.locks``.
    name
        The file's path in it.

    Raises
    ------
    BlindfoldError
        Where the cache cannot be written.
    """
    path = cache / ".locks" / f"{name}.lock"
    with io.explain_write_errors(path):
        path.parent.mkdir(parents=True, exist_ok=True)
        try:
            lock = FileLock(path).acquire(timeout=0)
        except Timeout:
            log.info("another job is busy with %s: waiting for it", name)
            lock = FileLock(path).acquire()
    with lock:
        yield
