"""Unpack the members of an archive that a card names, safely and once."""

from __future__ import annotations

import tempfile
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from blindfold.core import io
from blindfold.core.datasets import RawFile
from blindfold.core.errors import BlindfoldError, nearest
from blindfold.fetch.archive import Member, opened
from blindfold.fetch.locks import only_one

_CHUNK = 1 << 20
_MOST_TIMES = 100
_MANIFEST = ".unpacked.json"


@dataclass(frozen=True)
class Unpacked:
    """A member of an archive, as a file."""

    location: Path
    sha256: str
    bytes: int


def unpack(archive: Path, file: RawFile, sha256: str, cache: Path) -> dict[str, Unpacked]:
    """Unpack what is not there yet.

    Parameters
    ----------
    archive
        The verified archive; its members go to ``<archive>.unpacked``.
    file
        The archive's entry in the card.
    sha256
        Its checksum.
    cache
        The folder of downloads, for the lock.

    Returns
    -------
    dict
        By name of the member.

    Raises
    ------
    BlindfoldError
        Where the archive is damaged, not safe, lacks a member or holds too much.
    """
    folder = archive.with_name(archive.name + ".unpacked")
    wanted = list(dict.fromkeys(file.members.values()))
    known = _intact(folder, sha256)
    if known.keys() >= set(wanted):
        return known
    with only_one(cache, f"{file.package or ''}/{file.path}.unpacked".lstrip("/")):
        # another job may have been quicker
        known = _intact(folder, sha256)
        there = [known[name].bytes for name in wanted if name in known]
        most = file.unpacked_bytes or _MOST_TIMES * archive.stat().st_size
        missing = [name for name in wanted if name not in known]
        known |= _extract(archive, missing, folder, most - sum(there))
        _write_manifest(folder, sha256, known)
    return known


def _intact(folder: Path, sha256: str) -> dict[str, Unpacked]:
    """Return what was unpacked from this very archive before and has not changed since."""
    try:
        manifest: dict[str, Any] = io.read_json(folder / _MANIFEST)
        rows = manifest["members"] if manifest["archive_sha256"] == sha256 else {}
        known = {name: Unpacked(folder / name, *row) for name, row in rows.items()}
    except (BlindfoldError, KeyError, TypeError, AttributeError):
        return {}
    return {name: member for name, member in known.items() if _unchanged(member)}


def _unchanged(member: Unpacked) -> bool:
    path = member.location
    return path.is_file() and io.sha256(path) == member.sha256


def _write_manifest(folder: Path, sha256: str, known: dict[str, Unpacked]) -> None:
    rows = {name: [member.sha256, member.bytes] for name, member in sorted(known.items())}
    io.write_json(folder / _MANIFEST, {"archive_sha256": sha256, "members": rows})


def _extract(archive: Path, names: list[str], folder: Path, most: int) -> dict[str, Unpacked]:
    """Unpack members: all into a temporary folder, and only then each to its place."""
    with opened(archive) as members:
        chosen = {name: _member(members, name, archive) for name in names}
        try:
            folder.mkdir(parents=True, exist_ok=True)
            with tempfile.TemporaryDirectory(dir=folder, prefix=".unpacking.") as temporary:
                written: dict[str, Unpacked] = {}
                for name, member in chosen.items():
                    part = Path(temporary) / str(len(written))
                    used = sum(done.bytes for done in written.values())
                    size = _write(member, part, most - used, archive)
                    written[name] = Unpacked(part, io.sha256(part), size)
                return {name: _place(part, folder / name) for name, part in written.items()}
        except OSError as error:
            told = io.explain_os_error(error, folder)
            if told is not None:
                raise told from error
            raise


def _member(members: dict[str, Member], name: str, archive: Path) -> Member:
    """Return a member, or say what the archive has instead."""
    if name in members:
        return members[name]
    guess = nearest(name, members)
    some = ", ".join(sorted(members)[:10]) or "no file at all"
    raise BlindfoldError(
        f"the archive has no file {name!r}", file=archive, field="files.members",
        found=None if guess else some, remedy=f"did you mean {guess!r}?" if guess else None,
    )  # fmt: skip


def _write(member: Member, target: Path, most: int, archive: Path) -> int:
    """Write a member and return its size; what its header says is not trusted."""
    size = 0
    source = member.open()
    assert source is not None  # files only
    with source, target.open("wb") as out:
        while chunk := source.read(_CHUNK):
            size += len(chunk)
            if size > most:
                raise BlindfoldError(
                    "the archive holds more than it may", file=archive,
                    found=f"member {member.name!r} goes on after {most} bytes",
                    expected=f"unpacked_bytes of the card, by default {_MOST_TIMES} x its own size",
                    remedy="if so much is right, raise unpacked_bytes of the file in the card",
                )  # fmt: skip
            out.write(chunk)
    return size


def _place(part: Unpacked, target: Path) -> Unpacked:
    target.parent.mkdir(parents=True, exist_ok=True)
    part.location.replace(target)
    return Unpacked(target, part.sha256, part.bytes)
