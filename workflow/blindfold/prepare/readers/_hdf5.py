"""HDF5 files: opened with clear messages, and matrices read as sparse rows."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import h5py
import numpy as np
import scipy.sparse as sp

from blindfold.core.blocks import join_blocks, row_blocks
from blindfold.core.errors import BlindfoldError

_OTHER_FORMATS = {
    b"\x1f\x8b": "a gzip file: unpack it first",
    b"PK\x03\x04": "a zip file: unpack it first",
    b"<!": "a web page: the download gave a page instead of the file",
    b"<html": "a web page: the download gave a page instead of the file",
}


def open_hdf5(path: Path, what: str = "an HDF5 file") -> h5py.File:
    """Open a file for reading.

    Parameters
    ----------
    path
        The file.
    what
        What it should be, for messages.

    Raises
    ------
    BlindfoldError
        For a missing or empty file, a folder, another format, or a truncated file.
    """

    def problem(wrong: str, found: str | None, remedy: str) -> BlindfoldError:
        return BlindfoldError(wrong, file=path, found=found, expected=what, remedy=remedy)

    if path.is_dir():
        raise problem("a folder, not a file", None, "name the file itself")
    if not path.is_file():
        raise problem("file not found", None, "check the path")
    if path.stat().st_size == 0:
        raise problem("the file is empty", "0 bytes", "get the file again")
    if not h5py.is_hdf5(path):
        with path.open("rb") as handle:
            start = handle.read(8)
        kinds = (kind for magic, kind in _OTHER_FORMATS.items() if start.startswith(magic))
        found = next(kinds, f"first bytes {start!r}")
        raise problem("not an HDF5 file", found, "get the file again")
    try:
        return h5py.File(path, "r")
    except OSError as error:
        reason = str(error).splitlines()[0]
        raise problem("truncated or damaged HDF5 file", reason, "get the file again") from error


def read_matrix(stored: Any) -> sp.csr_matrix:
    """Return a dense dataset, or a group of data, indices, indptr and shape, as sparse rows."""
    if hasattr(stored, "dtype"):
        return join_blocks(row_blocks(stored)) if len(stored) else sp.csr_matrix(stored.shape)
    parts = tuple(stored[name][:] for name in ("data", "indices", "indptr"))
    return sp.csr_matrix(parts, shape=tuple(int(n) for n in np.asarray(stored["shape"])))
