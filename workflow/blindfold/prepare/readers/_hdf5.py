"""HDF5 files: opened with clear messages, and matrices read as sparse rows."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import scipy.sparse as sp

from blindfold.core.errors import BlindfoldError, did_you_mean
from blindfold.prepare.readers._open import open_hdf5

if TYPE_CHECKING:
    import h5py

BLOCK = 2**24
"""Most values of a dense matrix that are read at once."""


@contextmanager
def opened(file: Path) -> Iterator[h5py.File]:
    """Open a file for reading.

    Raises
    ------
    BlindfoldError
        Where it is missing, empty, truncated or no HDF5.
    """
    with open_hdf5(file, "an HDF5 file") as handle:
        yield handle


def member(group: Any, name: str, file: Path) -> Any:
    """Return a member of a group.

    Raises
    ------
    BlindfoldError
        Where there is none of this name; the nearest is suggested.
    """
    if name not in group:
        raise BlindfoldError(
            f"there is no {name!r} in the file", file=file, found=", ".join(group),
            remedy=did_you_mean(name, group),
        )  # fmt: skip
    return group[name]


def sparse(dataset: Any) -> sp.csr_matrix:
    """Return a dense dataset as sparse rows; it is read in blocks."""
    step = max(1, BLOCK // max(1, dataset.shape[1]))
    blocks = [
        sp.csr_matrix(dataset[start : start + step]) for start in range(0, dataset.shape[0], step)
    ]
    return (
        sp.csr_matrix(sp.vstack(blocks, format="csr")) if blocks else sp.csr_matrix(dataset.shape)
    )


def compressed(group: Any) -> sp.csr_matrix:
    """Return a group of data, indices, indptr and shape as sparse rows."""
    parts = tuple(group[name][:] for name in ("data", "indices", "indptr"))
    return sp.csr_matrix(parts, shape=tuple(int(n) for n in np.asarray(group["shape"])))
