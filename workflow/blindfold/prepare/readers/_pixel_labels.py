"""Labels given as NumPy arrays together with the pixel coordinates of their spots."""

from __future__ import annotations

import pickle
from pathlib import Path
from typing import Any

import numpy as np

from blindfold.core.errors import BlindfoldError
from blindfold.prepare.reading import reading

_ALLOWED = {
    ("numpy", "ndarray"),
    ("numpy", "dtype"),
    ("numpy.core.multiarray", "_reconstruct"),
    ("numpy._core.multiarray", "_reconstruct"),
}


class _ArrayUnpickler(pickle.Unpickler):
    """Builds arrays of strings and nothing else: a pickle could otherwise run any code."""

    def find_class(self, module: str, name: str) -> Any:
        if (module, name) not in _ALLOWED:
            raise pickle.UnpicklingError(f"{module}.{name} is not allowed here")
        return super().find_class(module.replace("numpy.core", "numpy._core"), name)


def read_names(file: Path) -> list[str]:
    """Return the strings of a ``.npy`` file that holds a vector of Python objects.

    Raises
    ------
    BlindfoldError
        Where the file is no such vector, or its pickle asks for anything but arrays.
    """
    with reading(file, "the labels", "a .npy vector of strings"), file.open("rb") as handle:
        np.lib.format.read_magic(handle)
        np.lib.format.read_array_header_1_0(handle)
        names = _ArrayUnpickler(handle).load()
        if not isinstance(names, np.ndarray) or names.ndim != 1:
            raise TypeError(f"found {type(names).__name__}")
        odd = [name for name in names.tolist() if not isinstance(name, str)]
        if odd:
            raise TypeError(f"found {odd[0]!r}")
        return [str(name) for name in names.tolist()]


def labels_at(pixels: np.ndarray, names: Path, positions: Path) -> list[str]:
    """Return the label of each spot, found by its pixel coordinates and never by its row.

    Parameters
    ----------
    pixels
        Spots x 2 (x, y), full-resolution pixels, from the official positions.
    names
        Vector of labels.
    positions
        ``.npy`` of their pixel coordinates (x, y), in the order of the labels.

    Raises
    ------
    BlindfoldError
        Where lengths differ, two labels lie at one pixel, or a spot has no label.
    """
    labels, coordinates = read_names(names), np.load(positions, allow_pickle=False)
    if coordinates.shape != (len(labels), 2):
        raise BlindfoldError(
            "labels and their coordinates do not agree", file=positions, found=coordinates.shape,
            expected=(len(labels), 2),
        )  # fmt: skip
    found = dict(zip(_keys(coordinates), labels, strict=True))
    if len(found) != len(labels):
        raise BlindfoldError("two labels lie at one pixel", file=positions)
    spots = _keys(pixels)
    absent = [spot for spot in spots if spot not in found]
    if absent:
        raise BlindfoldError(
            f"{len(absent)} of {len(spots)} spots have no label at their pixel", file=positions,
            found=f"spot at {absent[0]}, first label at {next(iter(found), None)}",
            expected="full-resolution pixels (x, y), those of the positions file",
        )  # fmt: skip
    return [found[spot] for spot in spots]


def _keys(pixels: np.ndarray) -> list[tuple[int, int]]:
    return [(int(x), int(y)) for x, y in np.rint(pixels)]
