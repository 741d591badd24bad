"""Matrices in blocks of rows, so that a dataset may be larger than the memory."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import scipy.sparse as sp

from blindfold.core import io

if TYPE_CHECKING:
    import h5py
    from anndata import AnnData

BLOCK = 2**24
"""Most entries, zeros included, of a block: 64 MiB as dense float32."""

CHUNK = 2**16
"""Entries of a chunk on disk."""


def block_rows(genes: int) -> int:
    """Return the number of rows of a block; it depends on nothing but the number of genes."""
    return max(1, BLOCK // max(1, genes))


def row_blocks(matrix: Any) -> Iterator[sp.csr_matrix]:
    """Yield a matrix in blocks of consecutive rows.

    Parameters
    ----------
    matrix
        cells x genes: sparse or dense in memory, or opened in a file (a dataset of h5py, a sparse
        dataset of anndata with compressed rows).

    Yields
    ------
    scipy.sparse.csr_matrix
        Values as stored, without repeated entries; columns sorted in each row.
    """
    if sp.issparse(matrix) and matrix.format != "csr":
        matrix = matrix.tocsr()
    step = block_rows(matrix.shape[1])
    for start in range(0, matrix.shape[0], step):
        # a slice of rows is a copy, so sorting does not touch what the caller holds
        block = sp.csr_matrix(matrix[start : start + step])
        block.sum_duplicates()
        yield block


def numbered_blocks(matrix: Any) -> Iterator[tuple[slice, sp.csr_matrix]]:
    """Yield blocks as `row_blocks` does, each with the rows of the matrix that it holds."""
    start = 0
    for block in row_blocks(matrix):
        yield slice(start, start + block.shape[0]), block
        start += block.shape[0]


def join_blocks(blocks: Iterable[sp.csr_matrix]) -> sp.csr_matrix:
    """Return blocks of rows, at least one, as one matrix in memory."""
    return sp.csr_matrix(sp.vstack(list(blocks), format="csr"))


def write_blocks(path: Path, frame: AnnData, blocks: Iterable[sp.csr_matrix]) -> None:
    """Write an AnnData atomically, its matrix block by block; the same data give the same bytes.

    Parameters
    ----------
    path
        The h5ad.
    frame
        Everything but ``X``.
    blocks
        Rows of ``X`` in order, float32; as many in all as ``frame`` has cells.
    """
    import anndata
    import h5py

    parts = {"obs": frame.obs, "var": frame.var}
    slots = ("layers", "obsm", "obsp", "uns", "varm", "varp")
    parts |= {slot: dict(getattr(frame, slot)) for slot in slots}
    with io.atomic(path) as temporary, h5py.File(temporary, "w") as file:
        file.attrs.update({"encoding-type": "anndata", "encoding-version": "0.1.0"})
        for key, part in parts.items():
            anndata.io.write_elem(file, key, part, dataset_kwargs={"compression": "gzip"})
        _write_matrix(file.create_group("X"), frame.shape, blocks)


def _write_matrix(
    group: h5py.Group, shape: tuple[int, int], blocks: Iterable[sp.csr_matrix]
) -> None:
    """Write compressed rows in anndata's format."""
    # level 1 after byte shuffling is smaller and several times quicker than level 4 alone
    how = {"maxshape": (None,), "chunks": (CHUNK,), "compression": "gzip", "compression_opts": 1,
           "shuffle": True}  # fmt: skip
    data = group.create_dataset("data", (0,), np.float32, **how)
    indices = group.create_dataset("indices", (0,), np.int32, **how)
    lengths = [np.zeros(1, dtype=np.int64)]
    for block in blocks:
        lengths.append(np.diff(block.indptr))
        for dataset, values in ((data, block.data), (indices, block.indices)):
            start = len(dataset)
            dataset.resize((start + len(values),))
            dataset[start:] = values
    indptr = np.cumsum(np.concatenate(lengths), dtype=np.int64)
    assert len(indptr) == shape[0] + 1
    # 32 bits wherever they do: libraries want one width for indices and pointers
    narrow = indptr[-1] <= np.iinfo(np.int32).max
    group.create_dataset("indptr", data=indptr.astype(np.int32) if narrow else indptr)
    group.attrs.update(
        {"encoding-type": "csr_matrix", "encoding-version": "0.1.0", "shape": np.array(shape)}
    )


@contextmanager
def open_blocks(path: Path) -> Iterator[tuple[AnnData, Any]]:
    """Open an h5ad that `write_blocks` wrote, its matrix left on disk.

    Yields
    ------
    tuple of anndata.AnnData and anndata's sparse dataset
        ``obs``, ``var``, ``obsm`` and ``uns``; and ``X``, which is sliced by rows while the file
        is open.

    Raises
    ------
    BlindfoldError
        Where the file is missing, truncated or no AnnData.
    """
    import anndata
    import h5py

    io.must_exist(path)
    try:
        file = h5py.File(path)
    except OSError as error:
        raise io.damaged_h5ad(path, error) from error
    with file:
        try:
            parts = {key: anndata.io.read_elem(file[key]) for key in ("obs", "var", "obsm", "uns")}
            matrix = anndata.io.sparse_dataset(file["X"])
            frame = anndata.AnnData(None, **parts)
        except (KeyError, OSError, ValueError, RuntimeError) as error:
            raise io.damaged_h5ad(path, error) from error
        yield frame, matrix
