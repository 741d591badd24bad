"""Open HDF5 files, and say in plain words why one cannot be opened."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

from blindfold.core.errors import BlindfoldError

if TYPE_CHECKING:
    import h5py

_KINDS = {
    b"\x1f\x8b": "a gzip file: unpack it first",
    b"PK\x03\x04": "a zip file: unpack it first",
    b"<!": "a web page: the download gave a page instead of the file",
    b"<html": "a web page: the download gave a page instead of the file",
}


def open_hdf5(path: Path, what: str = "an h5ad file") -> h5py.File:
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
    import h5py

    def problem(what_is_wrong: str, found: str | None, remedy: str) -> BlindfoldError:
        return BlindfoldError(
            what_is_wrong, file=path, found=found, expected=what, remedy=remedy
        )  # fmt: skip

    if path.is_dir():
        raise problem("a folder, not a file", None, "name the file itself")
    if not path.is_file():
        raise problem("file not found", None, "check the path")
    if path.stat().st_size == 0:
        raise problem("the file is empty", "0 bytes", "get the file again")
    if not h5py.is_hdf5(path):
        with path.open("rb") as handle:
            start = handle.read(8)
        kind = next((kind for magic, kind in _KINDS.items() if start.startswith(magic)), None)
        raise problem("not an HDF5 file", kind or f"first bytes {start!r}", "get the file again")
    try:
        return h5py.File(path, "r")
    except OSError as error:
        raise problem(
            "truncated or damaged HDF5 file", str(error).splitlines()[0], "get the file again"
        ) from error
