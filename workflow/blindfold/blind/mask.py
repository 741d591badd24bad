"""Hold entries of a matrix out, before anything else is derived from it."""

from __future__ import annotations

from collections.abc import Iterator
from functools import cached_property
from typing import Any

import numpy as np
import pandas as pd
import scipy.sparse as sp

from blindfold.core.blocks import join_blocks, row_blocks
from blindfold.core.datasets import Mask
from blindfold.core.errors import BlindfoldError
from blindfold.core.seeding import seed_sequence

DETECTED = 0.01
"""Share of the cells that must express a gene, and then of these genes that a cell must express,
to enter the ranking of genes."""


class MaskedMatrix:
    """A matrix without its held-out entries, read in blocks of rows as often as is needed.

    Parameters
    ----------
    matrix
        cells x genes; see `blindfold.core.blocks.row_blocks`.
    mask
        Share of entries to hold out, and number of genes to keep.
    seed
        Seed of the draw, as `numpy.random.default_rng` takes it.
    """

    def __init__(self, matrix: Any, mask: Mask, seed: Any) -> None:
        self.matrix, self.mask, self.seed = matrix, mask, seed

    @cached_property
    def genes(self) -> np.ndarray:
        """Sorted positions of the genes that stay, chosen by the masked counts alone."""
        return np.sort(self._ranked()[: self.mask.genes])

    def blocks(self) -> Iterator[sp.csr_matrix]:
        """Yield the masked rows of the genes that stay; no held-out entry is even stored."""
        for block, held in self._split():
            yield _without(block, held)[:, self.genes]

    def held_out(self) -> sp.csr_matrix:
        """Return the held-out entries, cells x genes that stay."""
        return join_blocks(_without(block, ~held)[:, self.genes] for block, held in self._split())

    def _blocks_with_keys(self) -> Iterator[tuple[sp.csr_matrix, np.ndarray]]:
        """Yield each block with a random key for each non-zero entry, the same every time."""
        rng = np.random.default_rng(self.seed)
        for block in row_blocks(self.matrix):
            block.eliminate_zeros()
            yield block, rng.random(block.nnz)

    @cached_property
    def _largest_keys(self) -> np.ndarray:
        """Largest key of each gene."""
        largest = np.zeros(self.matrix.shape[1])
        for block, keys in self._blocks_with_keys():
            np.maximum.at(largest, block.indices, keys)
        return largest

    def _split(self) -> Iterator[tuple[sp.csr_matrix, np.ndarray]]:
        """Yield each block with what is held out of it."""
        for block, keys in self._blocks_with_keys():
            yield block, held_out(block, keys, self.mask.share, self._largest_keys)

    def _ranked(self) -> np.ndarray:
        """Return genes by falling variance of masked counts, as scGNN ranks them."""
        cells, genes = self.matrix.shape
        n_cells = np.zeros(genes, dtype=np.int64)
        for block, held in self._split():
            n_cells += _without(block, held).getnnz(axis=0)
        kept = np.flatnonzero(n_cells >= max(DETECTED * cells, 1))
        if not kept.size:
            raise BlindfoldError(
                "no gene is seen in 1 % of the cells once entries are held out", field="mask",
                found=f"{cells} cells x {genes} genes", remedy="mask a smaller share",
            )  # fmt: skip
        variance, rich = self._variance(kept, DETECTED * kept.size)
        if rich < 2:
            variance, _ = self._variance(kept, 0)
        return kept[np.argsort(-variance, kind="stable")]

    def _variance(self, genes: np.ndarray, least: float) -> tuple[np.ndarray, int]:
        """Return each gene's variance over cells with at least so many genes, and their number."""
        total, square, cells = np.zeros(len(genes)), np.zeros(len(genes)), 0
        for block, held in self._split():
            chosen = _without(block, held)[:, genes].astype(np.float64)
            chosen = chosen[np.diff(chosen.indptr) >= least]
            total += chosen.sum(axis=0).A1
            square += chosen.power(2).sum(axis=0).A1
            cells += chosen.shape[0]
        return (square - total**2 / max(cells, 1)) / max(cells - 1, 1), cells


def mask_seed(dataset: str, seed: int) -> np.random.SeedSequence:
    """Return the seed of a dataset's mask; the order of its cells has another one."""
    return seed_sequence(seed, dataset, "mask")


def held_out(
    block: sp.csr_matrix, keys: np.ndarray, share: float, largest_keys: np.ndarray
) -> np.ndarray:
    """Return which entries are held out: those with a key below ``share``.

    The entry with the largest key of its cell or of its gene stays, so that none is emptied. That
    matters only where every entry of a cell or gene was drawn.

    Parameters
    ----------
    block
        Some cells x all genes, without stored zeros.
    keys
        Uniform in [0, 1), one per entry.
    share
        Chance of being held out.
    largest_keys
        Largest key of each gene, over all blocks.

    Returns
    -------
    numpy.ndarray
        Booleans, one per entry; they do not depend on the values.
    """
    cell = np.repeat(np.arange(block.shape[0]), np.diff(block.indptr))
    largest = np.zeros(block.shape[0])
    np.maximum.at(largest, cell, keys)
    return (keys < share) & (keys < largest[cell]) & (keys < largest_keys[block.indices])


def _without(block: sp.csr_matrix, removed: np.ndarray) -> sp.csr_matrix:
    """Return a block without some of its entries."""
    left = block.copy()
    left.data[removed] = 0
    left.eliminate_zeros()
    return left


def held_out_table(
    held: sp.csr_matrix, order: np.ndarray, cells: list[str], genes: list[str]
) -> pd.DataFrame:
    """Return the held-out entries as the vault keeps them.

    Parameters
    ----------
    held
        cells x genes in the order of the prepared file, held-out entries only.
    order
        Position in it of each cell of the input, see `blindfold.blind.blind.cell_order`.
    cells, genes
        Names of the input's cells and genes.

    Returns
    -------
    pandas.DataFrame
        Columns cell, gene (categorical) and count (float32), by cell, then gene.

    Raises
    ------
    BlindfoldError
        Where nothing could be held out.
    """
    ordered = held[order]
    ordered.sort_indices()
    if not ordered.nnz:
        raise BlindfoldError(
            "no entry could be held out", field="mask", found=f"{len(cells)} cells",
            remedy="mask a larger share, or take a larger dataset",
        )  # fmt: skip
    row = np.repeat(np.arange(len(cells)), np.diff(ordered.indptr))
    return pd.DataFrame(
        {
            "cell": pd.Categorical.from_codes(row, cells),
            "gene": pd.Categorical.from_codes(ordered.indices, genes),
            "count": ordered.data.astype(np.float32),
        }
    )
