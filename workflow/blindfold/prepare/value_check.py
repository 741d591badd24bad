"""Find values that are no counts, say what they are, and refuse them."""

from __future__ import annotations

from dataclasses import dataclass, field
from pathlib import Path

import numpy as np
import pandas as pd
import scipy.sparse as sp

from blindfold.core.datasets import DatasetCard
from blindfold.core.errors import BlindfoldError

LARGEST = 2**24
"""Integers up to here are exact in float32."""

_EXPECTED = {
    "infinite": "finite numbers",
    "missing": "numbers",
    "negative": "no value below 0",
    "fractional": f"integers from 0 to {LARGEST}",
    "huge": f"integers from 0 to {LARGEST}",
}
_LOOK_ELSEWHERE = (
    "point the reader at the counts (reader h5ad: option layer: raw, or the name of a layer); for "
    "linear, non-negative values that are no counts say values: expression (logarithms are undone "
    "by the reader's option log)"
)
_REMEDY = {
    "infinite": "correct the raw file",
    "missing": "correct the raw file, or let the card say repair: {missing_values: zero}",
    "negative": _LOOK_ELSEWHERE,
    "fractional": _LOOK_ELSEWHERE,
    "huge": "counts this large are no counts: look at the raw file",
}


@dataclass
class ValueCheck:
    """What is wrong with the values of a matrix, counted block by block.

    Parameters
    ----------
    counts
        Whether the values have to be counts; else they have to be finite and non-negative.
    """

    counts: bool
    found: dict[str, int] = field(default_factory=dict)
    first: dict[str, tuple[int, int, float]] = field(default_factory=dict)
    guess: str | None = None

    def add(self, block: sp.csr_matrix, start: int) -> None:
        """Check a block of rows, the first of which is row ``start`` of the matrix."""
        for kind, bad in self._bad(block.data).items():
            if not bad.any():
                continue
            self.found[kind] = self.found.get(kind, 0) + int(bad.sum())
            if kind not in self.first:
                entry = int(np.argmax(bad))
                row = int(np.searchsorted(block.indptr, entry, side="right")) - 1
                self.first[kind] = (start + row, int(block.indices[entry]), block.data[entry])
        if self.guess is None and (start == 0 or self.found):
            self.guess = guess_normalisation(block)

    def _bad(self, data: np.ndarray) -> dict[str, np.ndarray]:
        """Return which values are wrong, by what is wrong with them."""
        bad = {"negative": data < 0}
        if self.counts:
            bad["huge"] = np.isfinite(data) & (data > LARGEST)
        if data.dtype.kind == "f":
            bad |= {"infinite": np.isinf(data), "missing": np.isnan(data)}
            if self.counts:
                bad["fractional"] = np.isfinite(data) & (data != np.rint(data))
        return bad

    def refuse(self, card: DatasetCard, cells: pd.Index, genes: pd.Index, file: Path) -> None:
        """Refuse what was found and is not repaired.

        Raises
        ------
        BlindfoldError
            With how many values are wrong, the first of them, and what to do.
        """
        for kind in _EXPECTED:
            if kind not in self.found or (
                kind == "missing" and card.repair.missing_values == "zero"
            ):
                continue
            row, column, value = self.first[kind]
            wanted = "counts" if self.counts else "expression values"
            guess = f"; they look like {self.guess}" if self.guess else ""
            raise BlindfoldError(
                f"{self.found[kind]} values are no {wanted}: {kind}{guess}", file=file,
                field=f"X[{cells[row]!r}, {genes[column]!r}]", found=value,
                expected=_EXPECTED[kind], remedy=_REMEDY[kind],
            )  # fmt: skip
        if not self.counts and self.guess is not None and self.guess.startswith("log(1 +"):
            raise BlindfoldError(
                f"the values look like {self.guess}", file=file, field="values",
                expected="values on a linear scale",
                remedy="undo the logarithm with the reader's option log: log1p",
            )  # fmt: skip


def guess_normalisation(block: sp.csr_matrix) -> str | None:
    """Say what was probably done to counts; None where they look untouched or like nothing known.

    Parameters
    ----------
    block
        Some cells, with all their genes.
    """
    data = block.data[np.isfinite(block.data)].astype(np.float64)
    if not len(data) or (data == np.rint(data)).all():
        return None
    if data.min() < 0:
        return "scaled or centred values"
    rows = np.repeat(np.arange(block.shape[0]), np.diff(block.indptr))[np.isfinite(block.data)]
    totals = np.bincount(rows, data)
    if _nearly_equal(totals[totals > 0]):
        return f"counts normalised to {np.median(totals[totals > 0]):.5g} in each cell"
    if data.max() > 50:
        return None
    totals = np.bincount(rows, np.expm1(data))
    if _nearly_equal(totals[totals > 0]):
        return f"log(1 + counts normalised to {np.median(totals[totals > 0]):.5g} in each cell)"
    return "logarithms" if data.max() < 20 else None


def _nearly_equal(totals: np.ndarray) -> bool:
    """Return whether nearly all cells have the same total."""
    if len(totals) < 3:
        return False
    low, middle, high = np.quantile(totals, [0.05, 0.5, 0.95])
    return bool(high - low < 0.005 * middle)
