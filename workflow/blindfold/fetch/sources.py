"""Where a raw file may come from: an installed package, a mirror, its own address."""

from __future__ import annotations

import shutil
from collections.abc import Iterator
from dataclasses import dataclass
from importlib.util import find_spec
from pathlib import Path
from urllib.parse import quote

from blindfold.core import io
from blindfold.core.cards import RawFile
from blindfold.core.layout import REPOSITORY
from blindfold.core.log import log

TIMEOUT = 60.0
"""Seconds without a byte after which a download is given up."""


class SourceError(Exception):
    """A source does not have the file, or gave something else."""


@dataclass(frozen=True)
class LocalSource:
    """A file in a mirror folder or an installed package.

    Parameters
    ----------
    name
        As it stands in the record and in messages.
    path
        The file, or None where the package is not installed.
    """

    name: str
    path: Path | None

    def copy_to(self, target: Path) -> None:
        """Copy the file.

        Raises
        ------
        SourceError
            Where it is not there or cannot be read.
        """
        if self.path is None or not self.path.is_file():
            raise SourceError("not there")
        try:
            handle = self.path.open("rb")
        except OSError as error:
            raise SourceError(f"cannot be read: {error.strerror}") from error
        with handle, target.open("wb") as out:
            shutil.copyfileobj(handle, out)


@dataclass(frozen=True)
class Address:
    """A file behind a URL."""

    name: str

    def copy_to(self, target: Path) -> None:
        """Download the file with pooch.

        Raises
        ------
        SourceError
            Where the address cannot be reached or answers with an error.
        """
        import pooch
        import requests

        log.info("downloading %s", self.name)
        # without this, some servers compress on the fly and the bytes are not those of the card
        plain = {"Accept-Encoding": "identity"}
        try:
            pooch.HTTPDownloader(timeout=TIMEOUT, headers=plain)(self.name, str(target), None)
        except requests.RequestException as error:
            raise SourceError(f"{type(error).__name__}: {error}") from error


def candidates(file: RawFile, mirror: list[str], offline: bool) -> Iterator[LocalSource | Address]:
    """Yield the sources of a file in the order in which they are tried."""
    if file.package is not None:
        yield LocalSource(f"package {file.package}", packaged(file.package, file.path))
    for entry in mirror:
        if not _is_address(entry):
            path = REPOSITORY / Path(entry).expanduser() / file.path
            yield LocalSource(str(path), path)
        elif not offline:
            yield Address(f"{entry.rstrip('/')}/{quote(file.path)}")
    if file.url is not None and not offline:
        yield Address(file.url)


def _is_address(entry: str) -> bool:
    return entry.startswith(("http://", "https://"))


def packaged(package: str, path: str) -> Path | None:
    """Return the path of a file in an installed package, which is not imported."""
    spec = find_spec(package)
    if spec is None or spec.origin is None:
        return None
    return Path(spec.origin).parent / path


def defect(path: Path, file: RawFile) -> str | None:
    """Say how a file differs from what the card promises, or return None where it does not."""
    if not path.is_file():
        return "not there"
    size = path.stat().st_size
    if size != file.bytes:
        return f"{size} bytes instead of {file.bytes}"
    digest = io.sha256(path)
    return None if digest == file.sha256 else f"sha256 {digest} instead of {file.sha256}"
