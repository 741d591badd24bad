"""What every prepared dataset must satisfy."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
import scipy.sparse as sp

from blindfold.core.cards import DatasetCard
from blindfold.core.errors import BlindfoldError

if TYPE_CHECKING:
    import pandas as pd
    from anndata import AnnData

LARGEST = 2**24
"""Integers up to here are exact in float32."""


def check_counts(counts: sp.csr_matrix, cells: pd.Index, genes: pd.Index, file: Path) -> None:
    """Check that a matrix holds counts of distinct cells and genes.

    Parameters
    ----------
    counts
        cells x genes.
    cells, genes
        Names of rows and columns.
    file
        Named in errors.

    Raises
    ------
    BlindfoldError
        For non-finite, negative, fractional or huge values, repeated names, or empty cells.
    """
    for names, what in ((cells, "cell"), (genes, "gene")):
        if not names.is_unique:
            twice = names[names.duplicated()][0]
            raise BlindfoldError(f"a {what} stands twice", file=file, field=what, found=twice)
    bad = ~np.isfinite(counts.data) | (counts.data < 0) | (counts.data != np.rint(counts.data))
    bad |= counts.data > LARGEST
    if bad.any():
        first = int(np.argmax(bad))
        row = int(np.searchsorted(counts.indptr, first, side="right")) - 1
        raise BlindfoldError(
            f"{int(bad.sum())} values are no counts", file=file,
            field=f"X[{cells[row]!r}, {genes[counts.indices[first]]!r}]", found=counts.data[first],
            expected=f"integers from 0 to {LARGEST}",
            remedy="use a reader that reads or recovers raw counts",
        )  # fmt: skip
    empty = np.asarray(counts.sum(axis=1)).ravel() == 0
    if empty.any():
        raise BlindfoldError(
            f"{int(empty.sum())} cells without any count", file=file,
            field=f"X[{cells[int(np.argmax(empty))]!r}]", found=0, expected="at least 1",
        )  # fmt: skip


def check_coordinates(coordinates: np.ndarray, cells: int, file: Path) -> None:
    """Check that every spot has a finite position in the plane.

    Raises
    ------
    BlindfoldError
        For another shape than cells x 2, or a value that is not finite.
    """
    if coordinates.shape != (cells, 2):
        raise BlindfoldError(
            "wrong shape", file=file, field="obsm.spatial", found=coordinates.shape,
            expected=(cells, 2),
        )  # fmt: skip
    if not np.isfinite(coordinates).all():
        row = int(np.argmin(np.isfinite(coordinates).all(axis=1)))
        raise BlindfoldError(
            "a position is missing", file=file, field=f"obsm.spatial, row {row}",
            found=coordinates[row], expected="finite numbers",
        )  # fmt: skip


def check_expected(adata: AnnData, card: DatasetCard, file: Path) -> None:
    """Check the prepared dataset against the shape that its card promises.

    Raises
    ------
    BlindfoldError
        Where cells, genes or classes differ from ``expected``.
    """
    classes = None
    if card.label is not None:
        classes = adata.obs[card.label].nunique()
    found = {"cells": adata.n_obs, "genes": adata.n_vars, "classes": classes}
    for what, expected in card.expected.model_dump().items():
        if expected is not None and found[what] != expected:
            raise BlindfoldError(
                "the prepared data differ from the card", file=file, field=f"expected.{what}",
                found=found[what], expected=expected,
                remedy="mend the card, its options or the raw file",
            )  # fmt: skip
