"""The entries that a masked dataset did not show, and what a run put in their place."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from blindfold.core import io
from blindfold.core.blocks import block_rows
from blindfold.core.errors import BlindfoldError
from blindfold.core.layout import Layout

if TYPE_CHECKING:
    import pandas as pd


@dataclass(frozen=True)
class HeldOut:
    """Held-out entries, by cell.

    Parameters
    ----------
    row, column
        Position of each entry in the input.
    values
        log(1 + count) of each entry, float64.
    shape
        Cells and genes of the input.
    """

    row: np.ndarray
    column: np.ndarray
    values: np.ndarray
    shape: tuple[int, int]


def read_held_out(results: Layout, dataset: str, cells: np.ndarray, genes: np.ndarray) -> HeldOut:
    """Read the held-out entries of a masked dataset from the vault.

    Raises
    ------
    BlindfoldError
        Where the table is missing or damaged, or names a cell or gene that the input lacks.
    """
    path = results.held_out(dataset)
    table = io.read_parquet(path, ["cell", "gene", "count"])
    row, column = _positions(table, "cell", cells, path), _positions(table, "gene", genes, path)
    order = np.lexsort((column, row))
    values = np.log1p(table["count"].to_numpy(dtype=np.float64))
    return HeldOut(row[order], column[order], values[order], (len(cells), len(genes)))


def _positions(table: pd.DataFrame, field: str, names: np.ndarray, path: Path) -> np.ndarray:
    """Return where each entry of a column stands in the input."""
    import pandas as pd

    column = table[field].astype("category").cat
    position = pd.Index(names).get_indexer(column.categories.astype(str))
    found = np.asarray(position[column.codes], dtype=np.int64)
    if (found < 0).any():
        raise BlindfoldError(
            f"a {field} is held out that the input does not have", file=path, field=field,
            remedy="run blind again for this dataset",
        )  # fmt: skip
    return found


def read_imputed(path: Path, held: HeldOut) -> np.ndarray:
    """Read what a run imputed at the held-out entries, one block of cells at a time.

    Returns
    -------
    numpy.ndarray
        log(1 + imputed count) of each entry of ``held``, float64.

    Raises
    ------
    BlindfoldError
        Where the file is missing, damaged or of another shape.
    """
    import h5py

    found = np.empty(len(held.values))
    try:
        with h5py.File(path, "r") as file:
            matrix: Any = file["X"]
            if matrix.shape != held.shape:
                raise ValueError(f"shape {matrix.shape}, expected {held.shape}")
            step = block_rows(held.shape[1])
            for start in range(0, held.shape[0], step):
                here = slice(*np.searchsorted(held.row, [start, start + step]))
                if here.start < here.stop:
                    block = matrix[start : start + step]
                    found[here] = block[held.row[here] - start, held.column[here]]
    except (OSError, KeyError, ValueError) as error:
        raise BlindfoldError(
            "cannot read what was imputed", file=path, found=str(error).splitlines()[0],
            expected="an .h5ad of the input's cells and genes",
            remedy="delete the run's folder and run it again",
        ) from error  # fmt: skip
    return np.log1p(found)
