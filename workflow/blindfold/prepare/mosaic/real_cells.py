"""The real cells of which a mosaic is made, read by any reader."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pandas as pd
import scipy.sparse as sp

from blindfold.core.blocks import join_blocks, row_blocks
from blindfold.core.datasets import DatasetCard, Label
from blindfold.core.errors import BlindfoldError
from blindfold.prepare.mosaic.options import Cells
from blindfold.prepare.readers import reader
from blindfold.prepare.reading import lookup


@dataclass(frozen=True)
class RealCells:
    """Counts of M cells.

    Parameters
    ----------
    counts
        M x genes; no row is empty.
    types
        Type code from 0 of each cell; every code occurs.
    genes
        Their names.
    """

    counts: sp.csr_matrix
    types: np.ndarray
    genes: pd.Index


def read_cells(files: dict[str, Path], cells: Cells, card: DatasetCard) -> RealCells:
    """Read the cells that have a type and a count.

    Parameters
    ----------
    files
        The mosaic's raw files by role.
    cells
        Which reader reads them, and which column is their type.
    card
        The mosaic's card.

    Raises
    ------
    BlindfoldError
        For a missing column, or values that are no counts.
    """
    # that reader sees a dataset of single cells whose classes are the cell types
    changes = {"modality": "scrna", "label": Label(column=cells.cell_type), "batch": None}
    read = reader(cells.reader)(files, cells.options, card.model_copy(update=changes))
    types = lookup(read.obs, cells.cell_type, "options.cells.cell_type", card.title).astype(object)
    counts = join_blocks(row_blocks(read.X))
    counts.eliminate_zeros()
    _check_counts(counts, card)
    kept = (types.notna() & (types.astype(str) != "")).to_numpy() & (np.diff(counts.indptr) > 0)
    codes = np.unique(types[kept].astype(str), return_inverse=True)[1]
    return RealCells(counts[np.flatnonzero(kept)], codes, read.var_names)


def _check_counts(counts: sp.csr_matrix, card: DatasetCard) -> None:
    whole = np.isfinite(counts.data) & (counts.data > 0) & (counts.data == np.rint(counts.data))
    if not whole.all():
        raise BlindfoldError(
            "a mosaic is made of counts", file=card.title, field="options.cells",
            found=counts.data[int(np.argmin(whole))], expected="non-negative integers",
            remedy="choose a reader that reads or recovers raw counts",
        )  # fmt: skip
