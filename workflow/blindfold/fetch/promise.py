"""What a raw file must be, and whether it is."""

from __future__ import annotations

import hashlib
from dataclasses import dataclass
from pathlib import Path

from blindfold.core import io
from blindfold.core.datasets import RawFile
from blindfold.fetch.errors import SourceError
from blindfold.fetch.trust import Seen

_CHUNK = 1 << 20


@dataclass(frozen=True)
class Promise:
    """What is known of a file before it is there.

    Parameters
    ----------
    name
        The file's path in the card.
    sha256, git_blob
        The checksum it must have; at most one is given.
    bytes
        Its size.
    by
        Who says so.
    """

    name: str
    sha256: str | None
    git_blob: str | None
    bytes: int | None
    by: str

    @property
    def verifiable(self) -> bool:
        """Whether the content can be checked at all."""
        return (self.sha256 or self.git_blob) is not None

    @property
    def html(self) -> bool:
        """Whether a web page is what the card asks for."""
        return Path(self.name).suffix.lower() in {".html", ".htm"}

    def __str__(self) -> str:
        size = "" if self.bytes is None else f"{self.bytes} bytes with "
        if self.sha256 is not None:
            return f"{size}sha256 {self.sha256} ({self.by})"
        if self.git_blob is not None:
            return f"{size}git blob {self.git_blob} ({self.by})"
        return f"{size}any content: no checksum is known yet"


@dataclass(frozen=True)
class Verified:
    """Facts about a file that keeps its promise."""

    sha256: str
    bytes: int


def promise(file: RawFile, seen: Seen | None) -> Promise:
    """Return what the card, or an earlier download, says about a file.

    Parameters
    ----------
    file
        The file as the card describes it.
    seen
        What was found when a file without a checksum was first had; not used for the others.
    """
    if file.sha256 or file.git_blob or seen is None:
        blob = None if file.sha256 else file.git_blob
        return Promise(file.path, file.sha256, blob, file.bytes, "the card")
    return Promise(file.path, seen.sha256, None, None, f"as first seen {seen.first_seen}")


def verify(path: Path, promised: Promise) -> Verified:
    """Check a file against its promise.

    Raises
    ------
    SourceError
        Saying how it differs.
    """
    if path.is_dir():
        raise SourceError("a folder, not a file")
    if not path.is_file():
        raise SourceError("not there")
    size = path.stat().st_size
    if size == 0:
        raise SourceError("the file is empty")
    if not promised.html and is_web_page(_head(path)):
        raise SourceError("a web page (HTML), not the file")
    if promised.bytes not in (None, size):
        raise SourceError(f"{size} bytes instead of {promised.bytes}")
    digest = io.sha256(path)
    if promised.sha256 not in (None, digest):
        raise SourceError(f"sha256 {digest} instead of {promised.sha256} ({promised.by})")
    if promised.git_blob is not None and (blob := git_blob(path)) != promised.git_blob:
        raise SourceError(f"git blob {blob} instead of {promised.git_blob} ({promised.by})")
    return Verified(digest, size)


def is_web_page(head: bytes) -> bool:
    """Tell from a file's first bytes whether it is HTML."""
    start = head.removeprefix(b"\xef\xbb\xbf").lstrip().lower()
    return start.startswith((b"<!doctype html", b"<html"))


def git_blob(path: Path) -> str:
    """Return the id under which git keeps a file: SHA-1 of ``blob <size>``, a zero, the content."""
    digest = hashlib.sha1(b"blob %d\0" % path.stat().st_size, usedforsecurity=False)
    with path.open("rb") as handle:
        while chunk := handle.read(_CHUNK):
            digest.update(chunk)
    return digest.hexdigest()


def _head(path: Path) -> bytes:
    with path.open("rb") as handle:
        return handle.read(512)
