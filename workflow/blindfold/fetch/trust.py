"""Trust on first use: what files without a known checksum were when they were first had."""

from __future__ import annotations

from datetime import UTC, datetime
from pathlib import Path

from blindfold.core import io
from blindfold.core.errors import BlindfoldError
from blindfold.core.strict import Strict
from blindfold.fetch.locks import only_one

NAME = "downloads.lock.json"


class Seen(Strict):
    """One file of ``downloads.lock.json``."""

    sha256: str
    bytes: int
    url: str
    first_seen: str


def seen(cache: Path, key: str) -> Seen | None:
    """Return what a file was when it was first had, or None.

    Parameters
    ----------
    cache
        The folder of downloads.
    key
        The file's path in it.

    Raises
    ------
    BlindfoldError
        Where the list is damaged.
    """
    return _read(cache / NAME).get(key)


def remember(cache: Path, key: str, sha256: str, size: int, source: str) -> None:
    """Enter a file that is not in the list yet; later fetches must match it."""
    with only_one(cache, NAME):
        known = _read(cache / NAME)
        now = datetime.now(UTC).isoformat(timespec="seconds")
        known[key] = Seen(sha256=sha256, bytes=size, url=source, first_seen=now)
        rows = {name: known[name].model_dump() for name in sorted(known)}
        io.write_json(cache / NAME, rows)


def _read(path: Path) -> dict[str, Seen]:
    if not path.exists():
        return {}
    rows = io.read_json(path)
    if not isinstance(rows, dict):
        raise BlindfoldError(
            "not a list of downloads", file=path, expected="path -> sha256, bytes, url, first_seen"
        )
    return {name: io.validate(Seen, row, f"{path}: {name}") for name, row in rows.items()}
