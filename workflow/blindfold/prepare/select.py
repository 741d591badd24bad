"""Which cells and genes stay: repeated names, empty cells, and label-free filters."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import scipy.sparse as sp

from blindfold.core.blocks import row_blocks
from blindfold.core.datasets import DatasetCard
from blindfold.core.errors import BlindfoldError
from blindfold.prepare.flaws import Values
from blindfold.prepare.labels import some

if TYPE_CHECKING:
    import pandas as pd
    from anndata import AnnData

Report = dict[str, Any]


@dataclass(frozen=True)
class Kept:
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
        How its columns add up to these genes, raw genes x genes; None where all stay as they are.
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
        start = 0
        mask = np.zeros(self.matrix.shape[0], dtype=bool)
        mask[self.cells] = True
        for raw in row_blocks(self.matrix):
            inside = mask[start : start + raw.shape[0]]
            start += raw.shape[0]
            block = clean(raw if inside.all() else raw[inside], self.columns).astype(np.float32)
            block.sort_indices()
            yield block


def clean(block: sp.csr_matrix, columns: sp.csr_matrix | None) -> sp.csr_matrix:
    """Return a block without missing values and stored zeros, its columns added up."""
    if block.data.dtype.kind == "f":
        block.data[np.isnan(block.data)] = 0
    if columns is not None:
        block = sp.csr_matrix(block @ columns)
    block.eliminate_zeros()
    return block


def select(read: AnnData, card: DatasetCard, eligible: np.ndarray, file: Path) -> Kept:
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
    values = Values(card.values == "counts")
    detected, seen = _survey(read.X, columns, eligible, card.quality.min_genes, values)
    values.refuse(card, read.obs_names, read.var_names, file)
    if "missing" in values.found:
        flaws["missing_values"] = {"found": values.found["missing"], "repair": "zero"}
    if card.quality.min_genes == 0:
        _check_empty(read.obs_names[eligible & (detected == 0)], card, file, flaws)
    stays = eligible & (detected >= max(1, card.quality.min_genes))
    wanted = seen >= card.quality.min_cells
    if not wanted.all():
        columns = _of(columns, wanted)
        # cells whose last gene is gone have nothing left to be clustered by
        stays &= _survey(read.X, columns, stays, 0, None)[0] > 0
    if not stays.any() or not wanted.any():
        raise BlindfoldError(
            f"no {'cell' if wanted.any() else 'gene'} is left", file=file, field="quality",
            found=f"min_genes {card.quality.min_genes}, min_cells {card.quality.min_cells}",
        )  # fmt: skip
    if (seen[wanted] == 0).any():
        flaws["zero_genes"] = {"found": int((seen[wanted] == 0).sum()), "repair": "none needed"}
    before = int((eligible & (detected > 0 if card.quality.min_genes == 0 else True)).sum())
    quality = {
        **card.quality.model_dump(),
        "cells_dropped": before - int(stays.sum()),
        "genes_dropped": int((~wanted).sum()),
    }
    kept_genes = [gene for gene, stay in zip(genes, wanted, strict=True) if stay]
    return Kept(read.X, np.flatnonzero(stays), kept_genes, columns, flaws, quality)


def _first_cells(names: pd.Index, card: DatasetCard, file: Path, flaws: Report) -> np.ndarray:
    """Tell which cells do not repeat an earlier name."""
    again = np.asarray(names.duplicated())
    if again.any():
        if card.repair.duplicate_cells == "refuse":
            raise BlindfoldError(
                f"a cell stands twice: {int(again.sum())} repeated names", file=file, field="cell",
                found=some(names[again].unique()), expected="each cell once",
                remedy="mend the raw file, or let the card say repair: {duplicate_cells: first}",
            )  # fmt: skip
        flaws["duplicate_cells"] = {"found": int(again.sum()), "repair": "first"}
    return ~again


def _distinct_genes(
    names: pd.Index, card: DatasetCard, file: Path, flaws: Report
) -> tuple[list[str], sp.csr_matrix | None]:
    """Return distinct genes in the order of their first mention, and how columns add up to them."""
    import pandas as pd

    again = np.asarray(names.duplicated())
    if not again.any():
        return list(names.astype(str)), None
    if card.repair.duplicate_genes == "refuse":
        raise BlindfoldError(
            f"a gene stands twice: {int(again.sum())} repeated names", file=file, field="gene",
            found=some(names[again].unique()), expected="each gene once",
            remedy="let the card say repair: {duplicate_genes: sum}, or first",
        )  # fmt: skip
    how = card.repair.duplicate_genes
    flaws["duplicate_genes"] = {"found": int(again.sum()), "repair": how}
    codes, distinct = pd.factorize(names.astype(str))
    rows = np.arange(len(names)) if how == "sum" else np.flatnonzero(~again)
    entries = (np.ones(len(rows), dtype=np.float64), (rows, codes[rows]))
    return list(distinct), sp.csr_matrix(entries, shape=(len(names), len(distinct)))


def _of(columns: sp.csr_matrix | None, wanted: np.ndarray) -> sp.csr_matrix:
    """Return how raw columns add up to the wanted genes alone."""
    whole = sp.identity(len(wanted), format="csr") if columns is None else columns
    return sp.csr_matrix(whole[:, np.flatnonzero(wanted)])


def _survey(
    matrix: Any, columns: sp.csr_matrix | None, eligible: np.ndarray, min_genes: int,
    values: Values | None,
) -> tuple[np.ndarray, np.ndarray]:  # fmt: skip
    """Read the matrix once.

    Returns
    -------
    tuple of numpy.ndarray
        Genes detected in each cell; and the number of eligible cells with at least ``min_genes``
        genes that each gene is seen in.
    """
    detected = np.zeros(matrix.shape[0], dtype=np.int64)
    seen = np.zeros(matrix.shape[1] if columns is None else columns.shape[1], dtype=np.int64)
    start = 0
    for raw in row_blocks(matrix):
        end = start + raw.shape[0]
        if values is not None:
            values.look(raw, start)
        block = clean(raw, columns)
        detected[start:end] = np.diff(block.indptr)
        chosen = eligible[start:end] & (detected[start:end] >= min_genes)
        used = block if chosen.all() else block[chosen]
        seen += np.bincount(used.indices, minlength=len(seen))
        start = end
    return detected, seen


def _check_empty(names: pd.Index, card: DatasetCard, file: Path, flaws: Report) -> None:
    if not len(names):
        return
    if card.repair.empty_cells == "refuse":
        raise BlindfoldError(
            f"{len(names)} cells without any count", file=file, field="X", found=some(names),
            expected="at least one count in each cell",
            remedy="let the card say repair: {empty_cells: drop}, or quality: {min_genes: 1}",
        )  # fmt: skip
    flaws["empty_cells"] = {"found": len(names), "repair": "drop"}
