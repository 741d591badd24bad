"""Readers of raw formats: each module has ``Options`` and ``read(files, options, card)``.

``files`` maps roles to paths, ``options`` are the card's, checked. The AnnData returned holds
counts in ``X``, the card's label and batch columns in ``obs``, and where they exist coordinates in
``obsm["spatial"]`` (x, y), the image as ``uns["image"]`` (height x width x 3, uint8) and
``uns["scale"]`` (image pixels per unit of the coordinates). Anything else in it is dropped.
"""

from __future__ import annotations

from collections.abc import Callable
from importlib import import_module
from pathlib import Path
from typing import Any

from anndata import AnnData

from blindfold.core import io
from blindfold.core.datasets import DatasetCard
from blindfold.core.errors import BlindfoldError, did_you_mean

Read = Callable[[dict[str, Path], dict[str, Any], DatasetCard], AnnData]


def find_readers() -> list[str]:
    """Return the names of all readers, by looking in this folder."""
    folder = Path(__file__).parent
    return sorted(path.stem for path in folder.glob("*.py") if not path.stem.startswith("_"))


def reader(name: str) -> Read:
    """Return a reader's function, which checks the options of the card first.

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
    module = import_module(f"{__name__}.{name}")

    def read(files: dict[str, Path], options: dict[str, Any], card: DatasetCard) -> AnnData:
        chosen = io.validate(module.Options, options, f"card {card.title!r}: options")
        found: AnnData = module.read(files, chosen, card)
        return found

    return read
