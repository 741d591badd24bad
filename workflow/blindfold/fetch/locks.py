"""One job at a time for each file of the cache, on all machines that share it."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from blindfold.core import io
from blindfold.core.log import log


@contextmanager
def only_one(cache: Path, key: str) -> Iterator[None]:
    """Hold the lock of a file of the cache; wait where another job has it.

    Parameters
    ----------
    cache
        The folder of downloads; the locks lie in its ``.locks``.
    key
        The file's path in it.

    Raises
    ------
    BlindfoldError
        Where the cache cannot be written.
    """
    from filelock import FileLock, Timeout

    path = cache / ".locks" / f"{key}.lock"
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        lock = FileLock(path)
        try:
            lock.acquire(timeout=0)
        except Timeout:
            log.info("another job is busy with %s: waiting for it", key)
            lock.acquire()
    except OSError as error:
        told = io.explain_os_error(error, path)
        if told is not None:
            raise told from error
        raise
    try:
        yield
    finally:
        lock.release()
