"""Put the rows of a matrix in another order, without the matrix in memory."""

from __future__ import annotations

import tempfile
from collections.abc import Iterable, Iterator
from pathlib import Path

import numpy as np
import scipy.sparse as sp

from blindfold.core.blocks import block_rows

SPOOL = 2**28
"""Bytes that all parts together hold in memory before they go to temporary files."""

PARTS = 64
"""Largest number of parts: each is a file, and a process may open only so many."""


def shuffled_blocks(
    blocks: Iterable[sp.csr_matrix], shape: tuple[int, int], order: np.ndarray, folder: Path
) -> Iterator[sp.csr_matrix]:
    """Yield the rows of a matrix in the given order, block by block.

    The matrix is read once, from front to back: each row goes to the part of the result to which
    it belongs, and then one part after another is put in order.

    Parameters
    ----------
    blocks
        Consecutive rows of the matrix, see `blindfold.core.blocks.row_blocks`.
    shape
        Of the matrix, cells x genes.
    order
        Position in the matrix of each row of the result.
    folder
        Where temporary files go; they have no name and vanish with the process.

    Yields
    ------
    scipy.sparse.csr_matrix
        Consecutive rows of the result.
    """
    cells, genes = shape
    step = max(block_rows(genes), -(-cells // PARTS))
    target = np.empty(cells, dtype=np.int64)
    target[order] = np.arange(cells)
    parts = [_Part(folder, SPOOL // PARTS) for _ in range(0, cells, step)]
    start = 0
    for block in blocks:
        position = target[start : start + block.shape[0]]
        start += block.shape[0]
        for number in np.unique(position // step):
            chosen = position // step == number
            parts[number].add(block[chosen], position[chosen] - number * step)
    for part in parts:
        yield part.in_order(genes)


class _Part:
    """Some rows of the result, collected in any order."""

    def __init__(self, folder: Path, spool: int) -> None:
        self.file = tempfile.SpooledTemporaryFile(spool, dir=str(folder))  # noqa: SIM115
        self.lengths: list[np.ndarray] = []
        self.positions: list[np.ndarray] = []

    def add(self, rows: sp.csr_matrix, positions: np.ndarray) -> None:
        """Add rows that belong at the given positions in the part."""
        pairs = np.empty(rows.nnz, dtype=[("column", np.int32), ("value", np.float32)])
        pairs["column"], pairs["value"] = rows.indices, rows.data
        self.file.write(pairs.tobytes())
        self.lengths.append(np.diff(rows.indptr))
        self.positions.append(positions)

    def in_order(self, genes: int) -> sp.csr_matrix:
        """Return the rows in their order and free the memory."""
        self.file.seek(0)
        pairs = np.frombuffer(self.file.read(), dtype=[("column", np.int32), ("value", np.float32)])
        self.file.close()
        pointers = np.concatenate([[0], *self.lengths]).cumsum()
        rows = sp.csr_matrix(
            (pairs["value"].copy(), pairs["column"].copy(), pointers),
            shape=(len(pointers) - 1, genes),
        )
        return rows[np.argsort(np.concatenate(self.positions))]
