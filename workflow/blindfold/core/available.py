"""Whether a raw file can be had, without fetching it."""

from __future__ import annotations

from importlib.util import find_spec
from pathlib import Path

from blindfold.core.datasets import DatasetCard, RawFile, raw_files
from blindfold.core.layout import REPOSITORY


def cached(cache: Path, file: RawFile) -> Path:
    """Return where a raw file lies once it is fetched: in the cache, or the user's own file."""
    if file.local is not None:
        return Path(file.local)
    return cache / (file.package or "") / file.path


def packaged(file: RawFile) -> Path | None:
    """Return the path of a file in an installed package, which is not imported."""
    spec = find_spec(file.package) if file.package is not None else None
    if spec is None or spec.origin is None:
        return None
    return Path(spec.origin).parent / file.path


def mirror_folders(mirror: list[str]) -> list[Path]:
    """Return the folders of the mirrors; relative ones count from the repository root."""
    return [REPOSITORY / Path(entry).expanduser() for entry in mirror if not is_address(entry)]


def is_address(place: str) -> bool:
    """Tell an address from a folder."""
    return place.startswith(("http://", "https://"))


def obstacle(card: DatasetCard, cache: Path, mirror: list[str], offline: bool) -> str | None:
    """Say why a dataset cannot be had, or return None where every file has a source."""
    missing = [file for file in raw_files(card) if not _has_source(file, cache, mirror, offline)]
    if not missing:
        return None
    first = missing[0]
    if first.local is not None:
        return f"{first.local}: no such file"
    names = ", ".join(file.path for file in missing[:3]) + ("" if len(missing) < 4 else " ...")
    if first.url is None:
        why = first.by_hand or f"package {first.package} is not installed"
        return f"{names}: not in the cache or a mirror; {why}"
    return f"{names}: not in the cache or a mirror, and offline ({first.url})"


def _has_source(file: RawFile, cache: Path, mirror: list[str], offline: bool) -> bool:
    if file.local is not None:
        return Path(file.local).is_file()
    places = [cached(cache, file), *(folder / file.path for folder in mirror_folders(mirror))]
    if any(place.is_file() for place in places) or packaged(file) is not None:
        return True
    online = file.url is not None or any(is_address(entry) for entry in mirror)
    return online and not offline
