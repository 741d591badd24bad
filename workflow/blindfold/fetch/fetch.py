"""Make a dataset's raw files available, each verified, each downloaded once."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import replace
from pathlib import Path
from typing import Any

from blindfold.core import io
from blindfold.core.available import cached
from blindfold.core.datasets import DatasetCard, RawFile, raw_files
from blindfold.core.errors import BlindfoldError
from blindfold.core.locked import LOCKFILE, read_lockfile
from blindfold.core.log import log
from blindfold.fetch.checksum import ExpectedFile, VerifiedFile, expected_file, verify
from blindfold.fetch.download import DEFAULT_POLICY, RetryPolicy
from blindfold.fetch.errors import SourceError
from blindfold.fetch.lockfile import add_to_lockfile, file_lock
from blindfold.fetch.resume import PartialDownload
from blindfold.fetch.sources import Source, sources
from blindfold.fetch.unpack import unpack


def fetch(
    card: DatasetCard,
    record: Path,
    cache: Path,
    mirror: list[str],
    offline: bool,
    policy: RetryPolicy = DEFAULT_POLICY,
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
    policy
        How downloads are tried again.

    Returns
    -------
    Path
        The record: path, role, sha256, bytes, source and location of every file; for an archive,
        one row for each member, with ``member`` and ``archive_sha256``.

    Raises
    ------
    BlindfoldError
        Where a file cannot be had from any source, none gives what the card states, or an
        archive is not safe.
    """
    earlier = _earlier_sources(record)
    rows = []
    for file in raw_files(card):
        found = _raw_file(file, cache, sources(file, mirror, offline, policy))
        if found.source == "cache":
            found = replace(found, source=earlier.get(found.sha256, "cache"))
        rows += _rows(file, found, cache)
    io.write_json(record, rows)
    return record


def _earlier_sources(record: Path) -> dict[str, str]:
    """Return where each file came from, by checksum, as far as an earlier record says."""
    try:
        rows = io.read_json(record)
        return {row.get("archive_sha256", row["sha256"]): row["source"] for row in rows}
    except (BlindfoldError, AttributeError, KeyError, TypeError):
        return {}


def _rows(file: RawFile, found: VerifiedFile, cache: Path) -> list[dict[str, Any]]:
    """Return a file's row of the record, or one row for each member of an archive."""
    parts: list[tuple[str, VerifiedFile, dict[str, str]]] = [(file.role, found, {})]
    if file.members:
        members = unpack(found, file, cache)
        parts = [
            (role, members[name], {"member": name, "archive_sha256": found.sha256})
            for role, name in file.members.items()
        ]
    return [
        {
            "path": file.path, "role": role, "sha256": part.sha256, "bytes": part.bytes,
            "source": found.source, "location": str(part.path.resolve()), **more,
        }
        for role, part, more in parts
    ]  # fmt: skip


def _raw_file(file: RawFile, cache: Path, candidates: Iterable[Source]) -> VerifiedFile:
    """Return a raw file that is there and is what it should be."""
    if file.local is not None:
        return _local_file(file, Path(file.local))
    target = cached(cache, file)
    if cache.resolve() not in target.resolve().parents:
        raise BlindfoldError("the path leaves the cache", field="files.path", found=file.path)
    if target.is_dir():
        raise BlindfoldError(
            "a folder stands where a raw file belongs", file=target, remedy="move it away"
        )
    name = target.relative_to(cache).as_posix()
    expected = expected_file(file, read_lockfile(cache).get(name))
    if expected.digest is not None and (found := _in_cache(target, expected)) is not None:
        return found
    with file_lock(cache, name):
        # another job may have been quicker
        expected = expected_file(file, read_lockfile(cache).get(name))
        found = _in_cache(target, expected) or _from_source(file, cache, expected, candidates)
        if expected.digest is None:
            add_to_lockfile(cache, name, found.sha256, found.bytes, found.source)
    return found


def _local_file(file: RawFile, path: Path) -> VerifiedFile:
    """Return a user's own file, which is checked where it lies."""
    try:
        return replace(verify(path, expected_file(file, None)), source=str(path))
    except SourceError as error:
        raise BlindfoldError("cannot use the file", file=path, found=str(error)) from error
    except OSError as error:
        raise BlindfoldError("cannot read the file", file=path, found=error.strerror) from error


def _in_cache(target: Path, expected: ExpectedFile) -> VerifiedFile | None:
    """Return the file in the cache, or None where it is missing or damaged."""
    if not target.exists():
        return None
    try:
        return verify(target, expected)
    except SourceError as error:
        log.warning("%s: %s; it is not used", target, error)
        return None


def _from_source(
    file: RawFile, cache: Path, expected: ExpectedFile, candidates: Iterable[Source]
) -> VerifiedFile:
    """Put a file into the cache from the first source that gives what is expected."""
    target, refused = cached(cache, file), []
    for name, get in candidates:
        try:
            found = get(target, expected)
        except SourceError as error:
            log.warning("%s: %s", name, error)
            refused.append(f"{name}: {error}")
        else:
            PartialDownload(target).discard()
            return replace(found, path=target, source=name)
    raise BlindfoldError(
        f"cannot get the raw file {file.path!r}", file=target,
        found="; ".join(refused) or "no source", expected=expected,
        remedy=_remedy(file, cache, expected),
    )  # fmt: skip


def _remedy(file: RawFile, cache: Path, expected: ExpectedFile) -> str:
    """Say what the user can do where no source has the file."""
    if file.package is not None:
        return f"install the version of {file.package} that envs/main.lock.txt names"
    what = file.by_hand or f"download {file.url} by hand"
    where = f"put it at {cached(cache, file)}, or into a folder named under mirror: as {file.path}"
    if expected.stated_by == "the card":
        return f"{what}; {where}"
    return (
        f"{what}; {where}; if the new content is right, delete the file's entry in "
        f"{cache / LOCKFILE}"
    )
