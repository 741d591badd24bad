"""Readers of raw formats: each module here has one function ``read(files, options, card)``.

``files`` maps roles to paths, ``options`` comes from the card. The AnnData returned holds counts in
``X``, the card's label and batch columns in ``obs``, and where they exist coordinates in
``obsm["spatial"]`` (x, y), the image as ``uns["image"]`` (height x width x 3, uint8) and
``uns["scale"]`` (image pixels per unit of the coordinates). Anything else in it is dropped.
"""

from __future__ import annotations

from importlib import import_module
from pathlib import Path
from typing import Any, Protocol

from anndata import AnnData

from blindfold.core.datasets import DatasetCard
from blindfold.core.errors import BlindfoldError, did_you_mean


class Read(Protocol):
    """What a reader is."""

    def __call__(
        self, files: dict[str, Path], options: dict[str, Any], card: DatasetCard
    ) -> AnnData:
        """Read raw files."""
        ...


def find_readers() -> list[str]:
    """Return the names of all readers, by looking in this folder."""
    folder = Path(__file__).parent
    return sorted(path.stem for path in folder.glob("*.py") if not path.stem.startswith("_"))


def reader(name: str) -> Read:
    """Return a reader's function.

    Raises
    ------
    BlindfoldError
        Where there is no such reader; the nearest name is suggested.
    """
    known = find_readers()
    if name not in known:
        raise BlindfoldError(
            f"unknown reader {name!r}", field="reader", remedy=did_you_mean(name, known)
        )
    read: Read = import_module(f"{__name__}.{name}").read
    return read
