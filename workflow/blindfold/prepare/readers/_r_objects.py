"""Objects of R data files, and the matrices among them."""

from __future__ import annotations

import warnings
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import pandas as pd
import rdata
import scipy.sparse as sp
import xarray

from blindfold.core.errors import BlindfoldError, did_you_mean
from blindfold.prepare.reading import reading, text


class Matrix(NamedTuple):
    """A matrix as it stands in the file, with the names of its rows and columns if it has any."""

    values: Any
    rows: list[str] | None
    columns: list[str] | None


def load(file: Path) -> dict[str, Any]:
    """Parse an R data file.

    Returns
    -------
    dict
        Its objects by name.

    Raises
    ------
    BlindfoldError
        Where the file is no R data.
    """
    with reading(file, "the file", "R data: .rda or .RData"), warnings.catch_warnings():
        # S4 classes come as plain namespaces, which is what is wanted
        warnings.filterwarnings("ignore", message="Missing constructor")
        warnings.filterwarnings("ignore", message="Unknown encoding")
        return dict(rdata.read_rda(file))


def object_at(objects: dict[str, Any], keys: list[str | int], file: Path) -> Any:
    """Return the object that a list of keys leads to; see the options of the reader.

    Raises
    ------
    BlindfoldError
        Where a key is not there; the nearest name is suggested.
    """
    found: Any = objects
    for depth, part in enumerate(keys):
        members = _members(found)
        if part not in members:
            where = " > ".join(map(str, keys[:depth])) or "the file"
            raise BlindfoldError(
                f"there is no {part!r} in {where}", file=file, field="options",
                found=type(found).__name__, remedy=did_you_mean(str(part), map(str, members)),
            )  # fmt: skip
        found = members[part]
    return found


def _members(found: Any) -> dict[Any, Any]:

    if isinstance(found, dict):
        return found
    if isinstance(found, list):
        return dict(enumerate(found))
    if isinstance(found, pd.DataFrame):
        return {str(column): found[column] for column in found}
    return dict(vars(found)) if hasattr(found, "__dict__") else {}


def matrix_at(objects: dict[str, Any], keys: list[str | int], file: Path) -> Matrix:
    """Return a dgCMatrix, a data frame, or a matrix with or without names.

    Parameters
    ----------
    objects, keys, file
        See `object_at`.

    Raises
    ------
    BlindfoldError
        Where there is none of these.
    """
    found = object_at(objects, keys, file)
    if all(hasattr(found, slot) for slot in ("i", "p", "Dim", "Dimnames")):
        parts = (found.x, found.i, found.p)
        values = sp.csc_matrix(parts, shape=tuple(int(length) for length in found.Dim))
        names = [_names(each) for each in found.Dimnames]
        return Matrix(values, *names)
    if isinstance(found, pd.DataFrame):
        numbers = found.to_numpy(dtype=np.float64, na_value=np.nan)
        return Matrix(numbers, _names(found.index), _names(found.columns))
    if isinstance(found, xarray.DataArray) and found.ndim == 2:
        names = [_names(found.coords.get(dimension)) for dimension in found.dims]
        return Matrix(found.values, *names)
    if isinstance(found, np.ndarray) and found.ndim == 2:
        return Matrix(found, None, None)
    raise BlindfoldError(
        "there is no matrix", file=file, field="options.matrix",
        found=f"{type(found).__name__} at {' > '.join(map(str, keys))}",
        expected="a matrix, a dgCMatrix or a data frame",
    )  # fmt: skip


def _names(names: Any) -> list[str] | None:
    """Return dimension names; R's NULL and automatic row numbers are no names."""
    if isinstance(names, pd.RangeIndex) or not hasattr(names, "__len__") or isinstance(names, str):
        return None
    return text(np.asarray(names)) if len(names) else None
