"""Make a dataset's raw files available, each verified, each downloaded once."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from filelock import FileLock

from blindfold.core import cards, io, layout
from blindfold.core.cards import RawFile
from blindfold.core.errors import BlindfoldError
from blindfold.core.log import log
from blindfold.fetch import sources


def fetch(dataset: str, cache: Path, mirror: list[str], offline: bool) -> Path:
    """Make every raw file of a dataset available in the cache.

    Parameters
    ----------
    dataset
        Id of the dataset's card.
    cache
        Folder of downloads, shared between benchmarks and between jobs.
    mirror
        Folders (relative ones count from the repository) or addresses, tried in order before the
        file's own URL; a file lies there under its ``path``.
    offline
        Ask no address at all, neither a mirror's nor the file's own.

    Returns
    -------
    Path
        ``fetched.json``: path, role, sha256, bytes and source of every file.

    Raises
    ------
    BlindfoldError
        Where a file cannot be had from any source, or none gives the bytes that the card promises.
    """
    files = cards.dataset_card(dataset).files
    folder = layout.cached(cache, dataset)
    record = layout.fetched(cache, dataset)
    folder.mkdir(parents=True, exist_ok=True)
    with FileLock(folder / ".lock"):
        known = _known_sources(record)
        rows = [_obtain(file, folder, mirror, offline, known) for file in files]
        io.write_json(record, rows)
    return record


def _known_sources(record: Path) -> dict[str, str]:
    """Return where each file came from, by checksum, as far as an earlier record says."""
    try:
        return {row["sha256"]: row["source"] for row in io.read_json(record)}
    except (BlindfoldError, KeyError, TypeError):
        return {}


def _obtain(
    file: RawFile, folder: Path, mirror: list[str], offline: bool, known: dict[str, str]
) -> dict[str, Any]:
    """Put one verified file into the cache and return its row of the record."""
    target = folder / file.path
    if folder.resolve() not in target.resolve().parents:
        raise BlindfoldError("the path leaves the cache", field="files.path", found=file.path)
    problem = sources.defect(target, file)
    source = known.get(file.sha256, "cache")
    if problem is not None:
        if target.exists():
            log.warning("%s: %s; it is replaced", target, problem)
        source = _first_good(file, target, mirror, offline)
    return {
        "path": file.path, "role": file.role, "sha256": file.sha256, "bytes": file.bytes,
        "source": source,
    }  # fmt: skip


def _first_good(file: RawFile, target: Path, mirror: list[str], offline: bool) -> str:
    """Fill ``target`` from the first source that gives the right bytes; return its name."""
    refused = []
    for source in sources.candidates(file, mirror, offline):
        try:
            with io.atomic(target) as temporary:
                source.copy_to(temporary)
                problem = sources.defect(temporary, file)
                if problem is not None:
                    raise sources.SourceError(problem)
        except sources.SourceError as error:
            log.warning("%s: %s", source.name, error)
            refused.append(f"{source.name}: {error}")
        else:
            return source.name
    if offline and file.url:
        refused.append(f"{file.url}: not asked (offline)")
    raise BlindfoldError(
        f"cannot get the raw file {file.path!r}",
        file=target,
        found="; ".join(refused) or "no source",
        expected=f"{file.bytes} bytes with sha256 {file.sha256}",
        remedy=_by_hand(file, target),
    )


def _by_hand(file: RawFile, target: Path) -> str:
    if file.package is not None:
        return f"install the version of {file.package} that envs/main.lock.txt names"
    return (
        f"download {file.url} by hand and put it at {target}, or into a folder named under "
        f"mirror: in the configuration, as {file.path}"
    )
