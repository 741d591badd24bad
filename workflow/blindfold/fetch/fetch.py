"""Make a dataset's raw files available, each verified, each downloaded once."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

from blindfold.core import io
from blindfold.core.datasets import DatasetCard, RawFile, raw_files
from blindfold.core.errors import BlindfoldError
from blindfold.fetch.obtain import CACHE, Places, obtain
from blindfold.fetch.patience import PATIENCE, Patience
from blindfold.fetch.unpack import unpack


def fetch(
    card: DatasetCard,
    record: Path,
    cache: Path,
    mirror: list[str],
    offline: bool,
    patience: Patience = PATIENCE,
) -> Path:
    """Make every raw file of a dataset available in the cache, archives unpacked.

    Parameters
    ----------
    card
        The dataset's card.
    record
        Where the record of its files is written.
    cache
        Folder of downloads, shared between benchmarks and between jobs.
    mirror
        Folders (relative ones count from the repository) or addresses, tried in order before the
        file's own URL; a file lies there under its ``path``.
    offline
        Ask no address at all, neither a mirror's nor the file's own.
    patience
        Delays of downloads.

    Returns
    -------
    Path
        The record: path, role, sha256, bytes, source and location of every file; for an archive,
        one row for each member, with ``member`` and ``archive_sha256``.

    Raises
    ------
    BlindfoldError
        Where a file cannot be had from any source, none gives what the card promises, or an
        archive is not safe.
    """
    places = Places(cache, mirror, offline, patience)
    known = _known_sources(record)
    rows = [row for file in raw_files(card) for row in _rows(file, places, known)]
    io.write_json(record, rows)
    return record


def _known_sources(record: Path) -> dict[str, str]:
    """Return where each file came from, by checksum, as far as an earlier record says."""
    try:
        rows = io.read_json(record)
        return {row.get("archive_sha256", row["sha256"]): row["source"] for row in rows}
    except (BlindfoldError, AttributeError, KeyError, TypeError):
        return {}


def _rows(file: RawFile, places: Places, known: dict[str, str]) -> Iterator[dict[str, Any]]:
    """Yield a file's row of the record, or one row for each member of an archive."""
    got = obtain(file, places)
    checksum = got.verified.sha256
    source = known.get(checksum, CACHE) if got.source == CACHE else got.source
    if not file.members:
        yield {
            "path": file.path, "role": file.role, "sha256": checksum, "bytes": got.verified.bytes,
            "source": source, "location": str(got.location.resolve()),
        }  # fmt: skip
        return
    members = unpack(got.location, file, checksum, places.cache)
    for role, name in file.members.items():
        yield {
            "path": file.path, "role": role, "sha256": members[name].sha256,
            "bytes": members[name].bytes, "source": source,
            "location": str(members[name].location.resolve()), "member": name,
            "archive_sha256": checksum,
        }  # fmt: skip
