"""An array that is written by columns and read by rows."""

from __future__ import annotations

import tempfile

import numpy as np


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
