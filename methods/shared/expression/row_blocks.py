"""Results of cells x genes in blocks of cells, so that none is ever whole in memory."""

from __future__ import annotations

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
