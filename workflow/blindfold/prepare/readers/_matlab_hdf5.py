"""Variables of MATLAB files of version 7.3, which are HDF5 with MATLAB's own conventions."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import scipy.sparse as sp

from blindfold.prepare.readers._hdf5 import open_hdf5


def load(file: Path, wanted: set[str]) -> dict[str, Any]:
    """Return the wanted variables by name; of the others the names alone.

    MATLAB stores columns first, so every array stands transposed in the file. A sparse matrix is a
    group of ``data``, ``ir`` (rows) and ``jc`` (column pointers). A string is an array of
    characters' codes, and a cell array holds references to strings.

    Raises
    ------
    BlindfoldError
        Where the file is no HDF5.
    """
    with open_hdf5(file) as handle:
        return {
            name: _value(handle, handle[name]) if name in wanted else None
            for name in handle
            if not name.startswith("#")
        }


def _value(handle: Any, found: Any) -> Any:
    if "MATLAB_sparse" in found.attrs:
        return _sparse(found)
    if not hasattr(found, "dtype"):
        return None
    values = found[()]
    if values.dtype == object:
        strings = [_characters(handle[reference][()]) for reference in values.T.ravel()]
        return np.array(strings, dtype=object)
    return values.T


def _sparse(group: Any) -> sp.csc_matrix:
    columns = group["jc"][:]
    # a matrix without any entry has no data in the file
    data, rows = (group[name][:] if name in group else np.zeros(0) for name in ("data", "ir"))
    shape = (int(group.attrs["MATLAB_sparse"]), len(columns) - 1)
    return sp.csc_matrix((data, rows.astype(np.int64), columns.astype(np.int64)), shape=shape)


def _characters(codes: np.ndarray) -> str:
    # MATLAB writes an empty string as two zeros
    return "".join(chr(int(code)) for code in codes.T.ravel() if code)
