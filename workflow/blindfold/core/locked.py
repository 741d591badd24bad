"""The lockfile of the cache: checksums of files whose card has none.

They are those of the first download: whatever comes later must match.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from pathlib import Path

from blindfold.core import io
from blindfold.core.available import cached, mirror_folders
from blindfold.core.content import content
from blindfold.core.datasets import DatasetCard, raw_files
from blindfold.core.errors import BlindfoldError
from blindfold.core.strict import Strict

LOCKFILE = "downloads.lock.json"


class LockedFile(Strict):
    """A file's entry in the lockfile."""

    sha256: str
    bytes: int
    url: str
    first_seen: str


def read_lockfile(cache: Path) -> dict[str, LockedFile]:
    """Return the entries of the lockfile, by path in the cache.

    Raises
    ------
    BlindfoldError
        Where the lockfile is damaged.
    """
    path = cache / LOCKFILE
    if not path.exists():
        return {}
    rows = io.read_json(path)
    if not isinstance(rows, dict):
        raise BlindfoldError(
            "not a list of downloads", file=path, expected="path -> sha256, bytes, url, first_seen"
        )
    return {name: io.validate(LockedFile, row, f"{path}: {name}") for name, row in rows.items()}


def changed_mirrors(cards: Iterable[DatasetCard], cache: Path, mirror: list[str]) -> Iterator[str]:
    """Say which files of a mirror are not what was fetched before, and what to do about it."""
    locked = read_lockfile(cache)
    for file in (file for card in cards for file in raw_files(card) if file.local is None):
        entry = locked.get(cached(cache, file).relative_to(cache).as_posix())
        for folder in mirror_folders(mirror) if entry is not None else []:
            found = content(folder / file.path)
            if entry is not None and found not in (None, entry.sha256):
                yield (
                    f"{folder / file.path}: not what was fetched before, and not used; to use it "
                    f"delete {cached(cache, file)} and its entry in {cache / LOCKFILE}"
                )
