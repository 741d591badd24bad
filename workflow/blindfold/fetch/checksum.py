"""What a raw file must be, and whether it is."""

from __future__ import annotations

import hashlib
from dataclasses import dataclass
from functools import partial
from pathlib import Path

from blindfold.core import io
from blindfold.core.datasets import RawFile
from blindfold.core.locked import LockedFile
from blindfold.fetch.errors import SourceError


@dataclass(frozen=True)
class ExpectedFile:
    """What is known of a file before it is there.

    Parameters
    ----------
    name
        The file's path in the card.
    bytes
        Its size, where known.
    digest
        Its checksum, where known.
    algorithm
        ``sha256`` or ``git blob``.
    stated_by
        Who states the checksum.
    """

    name: str
    bytes: int | None
    digest: str | None
    algorithm: str = "sha256"
    stated_by: str = "the card"

    @property
    def html(self) -> bool:
        """Whether the file is a web page."""
        return Path(self.name).suffix.lower() in {".html", ".htm"}

    def __str__(self) -> str:
        size = "" if self.bytes is None else f"{self.bytes} bytes with "
        if self.digest is None:
            return f"{size}any content: no checksum is known yet"
        return f"{size}{self.algorithm} {self.digest} ({self.stated_by})"


@dataclass(frozen=True)
class VerifiedFile:
    """A file that is what was expected.

    Parameters
    ----------
    path
        Where it lies.
    sha256, bytes
        Its checksum and size.
    source
        Where it came from; ``cache`` where it was there already.
    """

    path: Path
    sha256: str
    bytes: int
    source: str = "cache"


def expected_file(file: RawFile, locked: LockedFile | None) -> ExpectedFile:
    """Return what the card, or else the lockfile, says about a file.

    Parameters
    ----------
    file
        The file as the card describes it.
    locked
        Its entry in the lockfile, used where the card has no checksum.
    """
    if file.sha256 is None and file.git_blob is not None:
        return ExpectedFile(file.path, file.bytes, file.git_blob, "git blob")
    if file.sha256 is None and locked is not None:
        first_seen = f"as first seen {locked.first_seen}"
        return ExpectedFile(file.path, None, locked.sha256, stated_by=first_seen)
    return ExpectedFile(file.path, file.bytes, file.sha256)


def verify(path: Path, expected: ExpectedFile) -> VerifiedFile:
    """Check that a file is what is expected.

    Raises
    ------
    SourceError
        Saying how it differs.
    """
    require_file(path)
    size = path.stat().st_size
    if size == 0:
        raise SourceError("the file is empty")
    with path.open("rb") as handle:
        head = handle.read(512)
    if not expected.html and is_web_page(head):
        raise SourceError("a web page (HTML), not the file")
    if expected.bytes not in (None, size):
        raise SourceError(f"{size} bytes instead of {expected.bytes}")
    sha256 = io.sha256(path)
    digest = sha256 if expected.algorithm == "sha256" else git_blob(path)
    if expected.digest not in (None, digest):
        wanted = f"{expected.digest} ({expected.stated_by})"
        raise SourceError(f"{expected.algorithm} {digest} instead of {wanted}")
    return VerifiedFile(path, sha256, size)


def require_file(path: Path) -> None:
    """Refuse a path where no file is."""
    if path.is_dir():
        raise SourceError("a folder, not a file")
    if not path.is_file():
        raise SourceError("not there")


def is_web_page(head: bytes) -> bool:
    """Tell from a file's first bytes whether it is HTML."""
    start = head.removeprefix(b"\xef\xbb\xbf").lstrip().lower()
    return start.startswith((b"<!doctype html", b"<html"))


def git_blob(path: Path) -> str:
    """Return the id under which git keeps a file: SHA-1 of ``blob <size>``, a zero, the content."""
    header = b"blob %d\0" % path.stat().st_size
    with path.open("rb") as handle:
        start = partial(hashlib.sha1, header, usedforsecurity=False)
        return hashlib.file_digest(handle, start).hexdigest()
