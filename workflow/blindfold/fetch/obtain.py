"""Put one verified raw file into the cache, from the first source that has it."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from blindfold.core.available import cached
from blindfold.core.datasets import RawFile
from blindfold.core.errors import BlindfoldError
from blindfold.core.log import log
from blindfold.fetch import sources, trust
from blindfold.fetch.errors import SourceError
from blindfold.fetch.locks import only_one
from blindfold.fetch.partial import Partial
from blindfold.fetch.patience import Patience
from blindfold.fetch.promise import Promise, Verified, promise, verify

CACHE = "cache"
"""The source of a file that was there already."""


@dataclass(frozen=True)
class Places:
    """Where files may come from, as the configuration says.

    Parameters
    ----------
    cache
        Folder of downloads.
    mirror
        Folders or addresses, tried in order before a file's own URL.
    offline
        Ask no address at all.
    patience
        Delays of downloads.
    """

    cache: Path
    mirror: list[str]
    offline: bool
    patience: Patience


@dataclass(frozen=True)
class Obtained:
    """A verified file and where it came from."""

    location: Path
    verified: Verified
    source: str


def obtain(file: RawFile, places: Places) -> Obtained:
    """Return a raw file that is there and is what it should be.

    Raises
    ------
    BlindfoldError
        Where no source has it, or none gives what is promised.
    """
    if file.local is not None:
        return _own(file, Path(file.local))
    target = cached(places.cache, file)
    if places.cache.resolve() not in target.resolve().parents:
        raise BlindfoldError("the path leaves the cache", field="files.path", found=file.path)
    if target.is_dir():
        raise BlindfoldError(
            "a folder stands where a raw file belongs", file=target, remedy="move it away"
        )
    key = target.relative_to(places.cache).as_posix()
    promised = promise(file, trust.seen(places.cache, key))
    if promised.verifiable and (there := _there(target, promised)) is not None:
        return there
    with only_one(places.cache, key):
        # another job may have been quicker
        promised = promise(file, trust.seen(places.cache, key))
        got = _there(target, promised) or _first_good(file, target, promised, places)
        if not promised.verifiable:
            trust.remember(places.cache, key, got.verified.sha256, got.verified.bytes, got.source)
        return got


def _own(file: RawFile, path: Path) -> Obtained:
    """Return a user's own file, which is checked where it lies."""
    try:
        return Obtained(path, verify(path, promise(file, None)), str(path))
    except SourceError as error:
        raise BlindfoldError("cannot use the file", file=path, found=str(error)) from error
    except OSError as error:
        raise BlindfoldError("cannot read the file", file=path, found=error.strerror) from error


def _there(target: Path, promised: Promise) -> Obtained | None:
    """Return the file in the cache, or None where it is missing or damaged."""
    if not target.exists():
        return None
    try:
        return Obtained(target, verify(target, promised), CACHE)
    except SourceError as error:
        log.warning("%s: %s; it is not used", target, error)
        return None


def _first_good(file: RawFile, target: Path, promised: Promise, places: Places) -> Obtained:
    """Fill ``target`` from the first source that gives what is promised."""
    refused = []
    for source in sources.candidates(file, places.mirror, places.offline):
        try:
            verified = source.fill(target, promised, places.patience)
        except SourceError as error:
            log.warning("%s: %s", source.name, error)
            refused.append(f"{source.name}: {error}")
        else:
            Partial.of(target).discard()
            return Obtained(target, verified, source.name)
    if places.offline and file.url:
        refused.append(f"{file.url}: not asked (offline)")
    raise BlindfoldError(
        f"cannot get the raw file {file.path!r}",
        file=target,
        found="; ".join(refused) or "no source",
        expected=promised,
        remedy=_by_hand(file, target, promised, places.cache),
    )


def _by_hand(file: RawFile, target: Path, promised: Promise, cache: Path) -> str:
    """Say what the user can do."""
    if file.package is not None:
        return f"install the version of {file.package} that envs/main.lock.txt names"
    what = file.by_hand or f"download {file.url} by hand"
    where = f"{what}; put it at {target}, or into a folder named under mirror: as {file.path}"
    if promised.by == "the card":
        return where
    return f"{where}; if the new content is right, delete the file's entry in {cache / trust.NAME}"
