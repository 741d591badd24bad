"""How far a download is."""

from __future__ import annotations

import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager


@contextmanager
def progress(name: str, done: int, total: int | None) -> Iterator[Callable[[int], object]]:
    """Yield a function that is told of every piece; it draws a bar on a terminal, else nothing.

    Parameters
    ----------
    name
        What is downloaded.
    done
        Bytes that are there already.
    total
        Bytes in all, where known.
    """
    if not sys.stderr.isatty():
        yield lambda size: None
        return
    from rich.console import Console
    from rich.progress import BarColumn, DownloadColumn, Progress, TextColumn, TransferSpeedColumn

    columns = (
        TextColumn("{task.description}"),
        BarColumn(),
        DownloadColumn(),
        TransferSpeedColumn(),
    )
    with Progress(*columns, console=Console(stderr=True), transient=True) as bar:
        task = bar.add_task(name, total=total, completed=done)
        yield lambda size: bar.advance(task, size)
