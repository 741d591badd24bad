"""Where a raw file may come from: an installed package, a mirror, its own address."""

from __future__ import annotations

import shutil
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from urllib.parse import quote

from blindfold.core import io
from blindfold.core.available import is_address, mirror_folders, packaged
from blindfold.core.datasets import RawFile
from blindfold.core.log import log
from blindfold.fetch.answer import shown
from blindfold.fetch.download import download
from blindfold.fetch.errors import SourceError
from blindfold.fetch.partial import Partial
from blindfold.fetch.patience import Patience
from blindfold.fetch.promise import Promise, Verified, verify


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

    def fill(self, target: Path, promised: Promise, patience: Patience) -> Verified:
        """Copy the file to ``target``, verified.

        Raises
        ------
        SourceError
            Where it is not there, cannot be read, or is not what was promised.
        """
        if self.path is None or not self.path.exists():
            raise SourceError("not there")
        if self.path.is_dir():
            raise SourceError("a folder, not a file")
        try:
            handle = self.path.open("rb")
        except OSError as error:
            raise SourceError(f"cannot be read: {error.strerror}") from error
        with handle, io.atomic(target) as temporary:
            with temporary.open("wb") as out:
                shutil.copyfileobj(handle, out)
            return verify(temporary, promised)


@dataclass(frozen=True)
class Address:
    """A file behind a URL."""

    url: str

    @property
    def name(self) -> str:
        """The address as it stands in the record and in messages."""
        return shown(self.url)

    def fill(self, target: Path, promised: Promise, patience: Patience) -> Verified:
        """Download the file to ``target``, verified; go on from what an earlier attempt left.

        Raises
        ------
        SourceError
            Where the address cannot be reached, answers with an error, or gives something else
            than was promised.
        """
        log.info("downloading %s", self.name)
        part = Partial.of(target)
        download(self.url, part, promised, patience)
        try:
            verified = verify(part.path, promised)
        except SourceError:
            part.discard()
            raise
        part.become(target)
        return verified


def candidates(file: RawFile, mirror: list[str], offline: bool) -> Iterator[LocalSource | Address]:
    """Yield the sources of a file in the order in which they are tried."""
    if file.package is not None:
        yield LocalSource(f"package {file.package}", packaged(file))
    for entry in mirror:
        if not is_address(entry):
            (folder,) = mirror_folders([entry])
            yield LocalSource(str(folder / file.path), folder / file.path)
        elif not offline:
            yield Address(f"{entry.rstrip('/')}/{quote(file.path)}")
    if file.url is not None and not offline:
        yield Address(file.url)
