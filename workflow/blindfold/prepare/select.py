"""Select the cells and genes that stay: repeated names, empty cells and filters without labels."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import scipy.sparse as sp
from anndata import AnnData

from blindfold.core.blocks import numbered_blocks
from blindfold.core.datasets import DatasetCard
from blindfold.core.errors import BlindfoldError
from blindfold.prepare.reading import examples
from blindfold.prepare.value_check import ValueCheck

Report = dict[str, Any]


@dataclass(frozen=True)
class Selection:
    """The part of a matrix that stays.

    Attributes
    ----------
    matrix
        As the reader gave it, cells x genes.
    cells
        Which of its rows stay, in their order.
    genes
        Names of the genes that stay.
    columns
        Raw genes x genes: which of its columns are summed to each of these genes; None where all
        stay as they are.
    flaws, quality
        What was found and done, in numbers.
    """

    matrix: Any
    cells: np.ndarray
    genes: list[str]
    columns: sp.csr_matrix | None
    flaws: Report = field(default_factory=dict)
    quality: Report = field(default_factory=dict)

    def blocks(self) -> Iterator[sp.csr_matrix]:
        """Yield what stays, in blocks of rows: float32, no stored zeros, sorted columns."""
        mask = np.zeros(self.matrix.shape[0], dtype=bool)
        mask[self.cells] = True
        for rows, raw in numbered_blocks(self.matrix):
            inside = mask[rows]
            block = clean(raw if inside.all() else raw[inside], self.columns).astype(np.float32)
            block.sort_indices()
            yield block


def clean(block: sp.csr_matrix, columns: sp.csr_matrix | None) -> sp.csr_matrix:
    """Return a block without missing values and stored zeros, its columns summed to genes."""
    if block.data.dtype.kind == "f":
        block.data[np.isnan(block.data)] = 0
    if columns is not None:
        block = sp.csr_matrix(block @ columns)
    block.eliminate_zeros()
    return block


def select(read: AnnData, card: DatasetCard, eligible: np.ndarray, file: Path) -> Selection:
    """Choose cells and genes.

    Parameters
    ----------
    read
        What a reader returned.
    card
        The dataset's card.
    eligible
        Which cells may stay.
    file
        Named in errors.

    Raises
    ------
    BlindfoldError
        For values that are no counts, repeated names and empty cells that the card does not
        repair, and where no cell or gene is left.
    """
    flaws: Report = {}
    eligible = eligible & _first_cells(read.obs_names, card, file, flaws)
    genes, columns = _distinct_genes(read.var_names, card, file, flaws)
    values = ValueCheck(card.values == "counts")
    detected, n_cells = _count_detected(read.X, columns, eligible, card.quality.min_genes, values)
    values.refuse(card, read.obs_names, read.var_names, file)
    if "missing" in values.found:
        flaws["missing_values"] = {"found": values.found["missing"], "repair": "zero"}
    if card.quality.min_genes == 0:
        _check_empty(read.obs_names[eligible & (detected == 0)], card, file, flaws)
    stays = eligible & (detected >= max(1, card.quality.min_genes))
    wanted = n_cells >= card.quality.min_cells
    if not wanted.all():
        columns = _restrict(columns, wanted)
        # cells whose last gene is gone have nothing left to be clustered by
        stays &= _count_detected(read.X, columns, stays, 0, None)[0] > 0
    if not stays.any() or not wanted.any():
        raise BlindfoldError(
            f"no {'cell' if wanted.any() else 'gene'} is left", file=file, field="quality",
            found=f"min_genes {card.quality.min_genes}, min_cells {card.quality.min_cells}",
        )  # fmt: skip
    if (n_cells[wanted] == 0).any():
        flaws["zero_genes"] = {"found": int((n_cells[wanted] == 0).sum()), "repair": "none needed"}
    before = int((eligible & (detected > 0 if card.quality.min_genes == 0 else True)).sum())
    quality = {
        **card.quality.model_dump(),
        "cells_dropped": before - int(stays.sum()),
        "genes_dropped": int((~wanted).sum()),
    }
    kept_genes = [gene for gene, stay in zip(genes, wanted, strict=True) if stay]
    return Selection(read.X, np.flatnonzero(stays), kept_genes, columns, flaws, quality)


def _first_cells(names: pd.Index, card: DatasetCard, file: Path, flaws: Report) -> np.ndarray:
    """Return which cells do not repeat an earlier name."""
    repeated = np.asarray(names.duplicated())
    if repeated.any():
        if card.repair.duplicate_cells == "refuse":
            raise BlindfoldError(
                f"{int(repeated.sum())} cells have the name of another cell", file=file,
                field="cell", found=examples(names[repeated].unique()), expected="each cell once",
                remedy="correct the raw file, or let the card say repair: {duplicate_cells: first}",
            )  # fmt: skip
        flaws["duplicate_cells"] = {"found": int(repeated.sum()), "repair": "first"}
    return ~repeated


def _distinct_genes(
    names: pd.Index, card: DatasetCard, file: Path, flaws: Report
) -> tuple[list[str], sp.csr_matrix | None]:
    """Return distinct genes in the order of the matrix, and which columns are summed to each."""
    repeated = np.asarray(names.duplicated())
    if not repeated.any():
        return list(names.astype(str)), None
    if card.repair.duplicate_genes == "refuse":
        raise BlindfoldError(
            f"{int(repeated.sum())} genes have the name of another gene", file=file,
            field="gene", found=examples(names[repeated].unique()), expected="each gene once",
            remedy="let the card say repair: {duplicate_genes: sum}, or first",
        )  # fmt: skip
    how = card.repair.duplicate_genes
    flaws["duplicate_genes"] = {"found": int(repeated.sum()), "repair": how}
    codes, distinct = pd.factorize(names.astype(str))
    rows = np.arange(len(names)) if how == "sum" else np.flatnonzero(~repeated)
    entries = (np.ones(len(rows), dtype=np.float64), (rows, codes[rows]))
    return list(distinct), sp.csr_matrix(entries, shape=(len(names), len(distinct)))


def _restrict(columns: sp.csr_matrix | None, wanted: np.ndarray) -> sp.csr_matrix:
    """Return which raw columns are summed to each of the wanted genes."""
    whole = sp.identity(len(wanted), format="csr") if columns is None else columns
    return sp.csr_matrix(whole[:, np.flatnonzero(wanted)])


def _count_detected(
    matrix: Any, columns: sp.csr_matrix | None, eligible: np.ndarray, min_genes: int,
    values: ValueCheck | None,
) -> tuple[np.ndarray, np.ndarray]:  # fmt: skip
    """Count in one pass over the matrix, and check its values.

    Returns
    -------
    tuple of numpy.ndarray
        Number of genes detected in each cell; and for each gene, the number of eligible cells with
        at least ``min_genes`` genes in which it is detected.
    """
    detected = np.zeros(matrix.shape[0], dtype=np.int64)
    n_cells = np.zeros(matrix.shape[1] if columns is None else columns.shape[1], dtype=np.int64)
    for rows, raw in numbered_blocks(matrix):
        if values is not None:
            values.add(raw, rows.start)
        block = clean(raw, columns)
        detected[rows] = np.diff(block.indptr)
        chosen = eligible[rows] & (detected[rows] >= min_genes)
        used = block if chosen.all() else block[chosen]
        n_cells += np.bincount(used.indices, minlength=len(n_cells))
    return detected, n_cells


def _check_empty(names: pd.Index, card: DatasetCard, file: Path, flaws: Report) -> None:
    if not len(names):
        return
    if card.repair.empty_cells == "refuse":
        raise BlindfoldError(
            f"{len(names)} cells without any count", file=file, field="X", found=examples(names),
            expected="at least one count in each cell",
            remedy="let the card say repair: {empty_cells: drop}, or quality: {min_genes: 1}",
        )  # fmt: skip
    flaws["empty_cells"] = {"found": len(names), "repair": "drop"}
