"""Unpack the members of an archive that a card names, safely and once."""

from __future__ import annotations

import lzma
import stat
import tarfile
import zipfile
import zlib
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from functools import partial
from pathlib import Path, PurePosixPath, PureWindowsPath
from typing import IO, Any

from blindfold.core import io
from blindfold.core.datasets import RawFile
from blindfold.core.errors import BlindfoldError, nearest
from blindfold.fetch.checksum import VerifiedFile
from blindfold.fetch.lockfile import file_lock

_CHUNK = 1 << 20
_MAX_RATIO = 100
_MANIFEST = ".unpacked.json"
_DAMAGE = (
    zipfile.BadZipFile, tarfile.TarError, lzma.LZMAError, zlib.error, EOFError, OSError,
    RuntimeError,
)  # fmt: skip


@dataclass(frozen=True)
class _Member:
    """A member of an archive: a ``file``, ``folder``, ``link`` or ``device``."""

    name: str
    kind: str
    open: Callable[[], IO[bytes] | None]


def unpack(archive: VerifiedFile, file: RawFile, cache: Path) -> dict[str, VerifiedFile]:
    """Unpack the members that are not there yet.

    Parameters
    ----------
    archive
        The archive; its members go to ``<archive>.unpacked``.
    file
        Its entry in the card.
    cache
        The folder of downloads.

    Returns
    -------
    dict
        The members by name.

    Raises
    ------
    BlindfoldError
        Where the archive is damaged, not safe, lacks a member or holds too much.
    """
    folder = archive.path.with_name(archive.path.name + ".unpacked")
    wanted = set(file.members.values())
    members = _unpacked_before(folder, archive.sha256)
    if members.keys() >= wanted:
        return members
    with file_lock(cache, f"{file.package or ''}/{file.path}.unpacked".lstrip("/")):
        # another job may have been quicker
        members = _unpacked_before(folder, archive.sha256)
        limit = file.unpacked_bytes or _MAX_RATIO * archive.bytes
        used = sum(members[name].bytes for name in wanted & members.keys())
        members |= _extract(archive.path, sorted(wanted - members.keys()), folder, limit - used)
        rows = {name: [member.sha256, member.bytes] for name, member in sorted(members.items())}
        io.write_json(folder / _MANIFEST, {"archive_sha256": archive.sha256, "members": rows})
    return members


def _unpacked_before(folder: Path, archive_sha256: str) -> dict[str, VerifiedFile]:
    """Return the members that were unpacked from this archive before and have not changed since."""
    try:
        manifest: dict[str, Any] = io.read_json(folder / _MANIFEST)
        rows = manifest["members"] if manifest["archive_sha256"] == archive_sha256 else {}
        members = {name: VerifiedFile(folder / name, *row) for name, row in rows.items()}
    except (BlindfoldError, KeyError, TypeError, AttributeError):
        return {}
    return {
        name: member
        for name, member in members.items()
        if member.path.is_file() and io.sha256(member.path) == member.sha256
    }


def _extract(archive: Path, names: list[str], folder: Path, limit: int) -> dict[str, VerifiedFile]:
    """Unpack members: all to temporary files, and only then each to its path."""
    extracted: dict[str, VerifiedFile] = {}
    with _open_archive(archive) as members, ExitStack() as renames:
        for name in names:
            member = _find(members, name, archive)
            temporary = renames.enter_context(io.atomic(folder / name))
            left = limit - sum(done.bytes for done in extracted.values())
            size = _write(member, temporary, left, archive)
            extracted[name] = VerifiedFile(folder / name, io.sha256(temporary), size)
    return extracted


def _find(members: dict[str, _Member], name: str, archive: Path) -> _Member:
    """Return a member, or say what the archive has instead."""
    if name in members:
        return members[name]
    guess = nearest(name, members)
    some = ", ".join(sorted(members)[:10]) or "no file at all"
    raise BlindfoldError(
        f"the archive has no file {name!r}", file=archive, field="files.members",
        found=None if guess else some, remedy=f"did you mean {guess!r}?" if guess else None,
    )  # fmt: skip


def _write(member: _Member, target: Path, limit: int, archive: Path) -> int:
    """Write a member and return its size; what its header says is not trusted."""
    size, source = 0, member.open()
    assert source is not None  # it is a file
    with source, target.open("wb") as out:
        while chunk := source.read(_CHUNK):
            size += len(chunk)
            if size > limit:
                raise BlindfoldError(
                    "the archive holds more than it may", file=archive,
                    found=f"member {member.name!r} goes on after {limit} bytes",
                    expected=f"unpacked_bytes of the card, by default {_MAX_RATIO} x its own size",
                    remedy="if so much is right, raise unpacked_bytes of the file in the card",
                )  # fmt: skip
            out.write(chunk)
    return size


@contextmanager
def _open_archive(path: Path) -> Iterator[dict[str, _Member]]:
    """Yield the files in an archive by name, without leading ``./``.

    Where any member is a link, a device or lies outside the archive's folder, nothing is used.
    """
    try:
        with _read_members(path) as members:
            for member in members:
                _refuse_unsafe(member, path)
            yield {str(PurePosixPath(m.name)): m for m in members if m.kind == "file"}
    except _DAMAGE as error:
        # gzip and bz2 report damage as an OSError without a number
        if isinstance(error, OSError) and error.errno is not None:
            raise
        raise BlindfoldError(
            "cannot unpack the archive", file=path, found=f"{type(error).__name__}: {error}",
            expected="a whole zip or tar archive without a password",
            remedy="delete it and run again",
        ) from error  # fmt: skip


@contextmanager
def _read_members(path: Path) -> Iterator[list[_Member]]:
    # tar first: a tar that ends with a zip looks like a zip
    if tarfile.is_tarfile(path):
        with tarfile.open(path) as tar:
            yield [_Member(i.name, _tar_kind(i), partial(tar.extractfile, i)) for i in tar]
    elif zipfile.is_zipfile(path):
        with zipfile.ZipFile(path) as archive:
            infos = archive.infolist()
            yield [_Member(i.filename, _zip_kind(i), partial(archive.open, i)) for i in infos]
    else:
        raise BlindfoldError(
            "not an archive", file=path, expected="zip or tar, the latter also compressed"
        )


def _tar_kind(info: tarfile.TarInfo) -> str:
    if info.issym() or info.islnk():
        return "link"
    if info.isdir():
        return "folder"
    return "file" if info.isfile() else "device"


def _zip_kind(info: zipfile.ZipInfo) -> str:
    if stat.S_ISLNK(info.external_attr >> 16):
        return "link"
    return "folder" if info.is_dir() else "file"


def _refuse_unsafe(member: _Member, path: Path) -> None:
    """Refuse names that lead elsewhere, on any system, and members that are no files."""
    windows = PureWindowsPath(member.name)
    outside = ".." in windows.parts or windows.anchor or member.name.startswith("/")
    if outside or member.kind in ("link", "device"):
        raise BlindfoldError(
            "the archive is not safe and is not unpacked", file=path,
            found=f"member {member.name!r}" + ("" if outside else f", a {member.kind}"),
            expected="files and folders inside the archive's own folder",
        )  # fmt: skip
