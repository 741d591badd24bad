"""Where a raw file may come from: an installed package, a mirror, its own address."""

from __future__ import annotations

import shutil
from collections.abc import Callable, Iterator
from functools import partial
from pathlib import Path
from urllib.parse import quote

from blindfold.core import io
from blindfold.core.available import is_address, mirror_folders, packaged
from blindfold.core.datasets import RawFile
from blindfold.core.log import log
from blindfold.fetch.checksum import ExpectedFile, VerifiedFile, require_file, verify
from blindfold.fetch.download import RetryPolicy, download
from blindfold.fetch.errors import SourceError, without_password
from blindfold.fetch.resume import PartialDownload

Source = tuple[str, Callable[[Path, ExpectedFile], VerifiedFile]]
"""A name, and a function that puts the file at a path, verified, or raises SourceError."""


def sources(
    file: RawFile, mirror: list[str], offline: bool, policy: RetryPolicy
) -> Iterator[Source]:
    """Yield the sources of a file in the order in which they are tried."""
    if file.package is not None:
        yield f"package {file.package}", partial(_copy, packaged(file))
    for entry in mirror:
        if not is_address(entry):
            (folder,) = mirror_folders([entry])
            yield str(folder / file.path), partial(_copy, folder / file.path)
        elif not offline:
            url = f"{entry.rstrip('/')}/{quote(file.path)}"
            yield without_password(url), partial(_download, url, policy)
    if file.url is not None:
        get = _refuse_offline if offline else partial(_download, file.url, policy)
        yield without_password(file.url), get


def _copy(path: Path | None, target: Path, expected: ExpectedFile) -> VerifiedFile:
    """Copy a file of this machine; without a path, its package is not installed."""
    if path is None:
        raise SourceError("not there")
    require_file(path)
    try:
        handle = path.open("rb")
    except OSError as error:
        raise SourceError(f"cannot be read: {error.strerror}") from error
    with handle, io.atomic(target) as temporary:
        with temporary.open("wb") as out:
            shutil.copyfileobj(handle, out)
        return verify(temporary, expected)


def _download(url: str, policy: RetryPolicy, target: Path, expected: ExpectedFile) -> VerifiedFile:
    """Download a file; go on from what an earlier attempt left."""
    log.info("downloading %s", without_password(url))
    part = PartialDownload(target)
    download(url, part, expected, policy)
    try:
        verified = verify(part.path, expected)
    except SourceError:
        part.discard()
        raise
    part.complete()
    return verified


def _refuse_offline(target: Path, expected: ExpectedFile) -> VerifiedFile:
    raise SourceError("not asked (offline)")
