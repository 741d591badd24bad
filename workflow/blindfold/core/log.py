"""Logging and progress: rich on a terminal, plain lines elsewhere."""

from __future__ import annotations

import logging
import sys
from collections.abc import Iterable, Iterator, Sized
from typing import TypeVar

Item = TypeVar("Item")

log = logging.getLogger("blindfold")


def setup(verbose: bool = False) -> None:
    """Send the log to standard error, once."""
    if log.handlers:
        return
    handler: logging.Handler
    if sys.stderr.isatty():
        from rich.logging import RichHandler

        handler = RichHandler(show_path=False, rich_tracebacks=True)
        handler.setFormatter(logging.Formatter("%(message)s"))
    else:
        handler = logging.StreamHandler()
        handler.setFormatter(logging.Formatter("%(asctime)s %(message)s", "%H:%M:%S"))
    log.addHandler(handler)
    log.setLevel(logging.DEBUG if verbose else logging.INFO)


def track(items: Iterable[Item], what: str) -> Iterator[Item]:
    """Yield the items and show how far the work is: a bar on a terminal, else ten lines at most."""
    total = len(items) if isinstance(items, Sized) else None
    if sys.stderr.isatty():
        from rich.console import Console
        from rich.progress import track as bar

        yield from bar(items, description=what, total=total, console=Console(stderr=True))
        return
    every = max(1, (total or 10) // 10)
    for done, item in enumerate(items, start=1):
        yield item
        if done % every == 0 or done == total:
            log.info("%s: %d of %s", what, done, total or "?")
