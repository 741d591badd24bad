"""The members of a zip or tar archive, none of which may reach outside a folder."""

from __future__ import annotations

import gzip
import lzma
import stat
import tarfile
import zipfile
import zlib
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from functools import partial
from pathlib import Path, PurePosixPath, PureWindowsPath
from typing import IO

from blindfold.core.errors import BlindfoldError

_DAMAGE = (
    zipfile.BadZipFile, tarfile.TarError, gzip.BadGzipFile, lzma.LZMAError, zlib.error, EOFError,
    NotImplementedError, RuntimeError,
)  # fmt: skip


@dataclass(frozen=True)
class Member:
    """One entry of an archive.

    Parameters
    ----------
    name
        As the archive has it.
    kind
        ``file``, ``folder``, ``link`` or ``device``.
    open
        Opens its content.
    """

    name: str
    kind: str
    open: Callable[[], IO[bytes] | None]


@contextmanager
def opened(path: Path) -> Iterator[dict[str, Member]]:
    """Yield the files in an archive by name, without leading ``./``.

    Raises
    ------
    BlindfoldError
        Where it is no archive, is damaged or encrypted, or any of its members is a link, a device,
        or lies outside the archive's folder: then nothing of it is used.
    """
    try:
        with _open(path) as members:
            for member in members:
                _refuse_unsafe(member, path)
            files = {str(PurePosixPath(m.name)): m for m in members if m.kind == "file"}
            yield files
    except _DAMAGE as error:
        raise _damaged(path, error) from error
    except OSError as error:
        if error.errno is not None:
            raise
        # bz2 reports damage so
        raise _damaged(path, error) from error


def _damaged(path: Path, error: Exception) -> BlindfoldError:
    return BlindfoldError(
        "cannot unpack the archive", file=path, found=f"{type(error).__name__}: {error}",
        expected="a whole zip or tar archive without a password",
        remedy="delete it and run again",
    )  # fmt: skip


@contextmanager
def _open(path: Path) -> Iterator[list[Member]]:
    # tar first: a tar that ends with a zip looks like a zip
    if tarfile.is_tarfile(path):
        with tarfile.open(path) as tar:
            yield [Member(i.name, _tar_kind(i), partial(tar.extractfile, i)) for i in tar]
    elif zipfile.is_zipfile(path):
        with zipfile.ZipFile(path) as archive:
            infos = archive.infolist()
            yield [Member(i.filename, _zip_kind(i), partial(archive.open, i)) for i in infos]
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


def _refuse_unsafe(member: Member, path: Path) -> None:
    """Refuse names that lead elsewhere, on any system, and entries that are not files."""
    windows = PureWindowsPath(member.name)
    outside = ".." in windows.parts or windows.anchor or member.name.startswith("/")
    if outside or member.kind in ("link", "device"):
        raise BlindfoldError(
            "the archive is not safe and is not unpacked", file=path,
            found=f"member {member.name!r}" + ("" if outside else f", a {member.kind}"),
            expected="files and folders inside the archive's own folder",
        )  # fmt: skip
