"""Results of cells x genes in blocks of cells, so that none is ever whole in memory."""

from __future__ import annotations

import tempfile
from collections.abc import Callable, Iterator
from dataclasses import dataclass

import numpy as np

ROWS = 512


@dataclass(frozen=True)
class RowBlocks:
    """
    An array that is made block by block, each time it is iterated over.

    Parameters
    ----------
    n_cells
        Rows in all.
    make
        Returns the rows of a slice, cells x genes.
    rows
        Rows of a block.
    """

    n_cells: int
    make: Callable[[slice], np.ndarray]
    rows: int = ROWS

    def __iter__(self) -> Iterator[np.ndarray]:
        """Yield consecutive rows."""
        for start in range(0, self.n_cells, self.rows):
            yield self.make(slice(start, min(start + self.rows, self.n_cells)))


class ColumnFile:
    """
    An array written by blocks of columns and read by blocks of rows, kept in a temporary file.

    Parameters
    ----------
    n_rows
        Rows of every block.
    """

    def __init__(self, n_rows: int) -> None:
        self.n_rows = n_rows
        self.widths: list[int] = []
        self.file = tempfile.TemporaryFile()  # noqa: SIM115

    def append(self, block: np.ndarray) -> None:
        """Add columns, rows x some, as float32."""
        self.widths.append(block.shape[1])
        self.file.write(np.ascontiguousarray(block, dtype=np.float32).tobytes())

    def rows(self, chosen: slice) -> np.ndarray:
        """Return rows, all columns."""
        parts, start, size = [], 0, 4
        count = chosen.stop - chosen.start
        for width in self.widths:
            self.file.seek(start + size * chosen.start * width)
            part = np.frombuffer(self.file.read(size * count * width), dtype=np.float32)
            parts.append(part.reshape(count, width))
            start += size * self.n_rows * width
        return np.concatenate(parts, axis=1)
