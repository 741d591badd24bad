"""Undo logarithms, and set the values of wrong genes to zero."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any, Literal

import numpy as np
import scipy.sparse as sp

from blindfold.prepare.reading import lookup

Log = Literal["none", "log1p", "log2p1", "log10p1"]

_INVERSE: dict[str, Callable[[np.ndarray], np.ndarray]] = {
    "log1p": np.expm1,
    "log2p1": lambda values: np.expm1(values * np.log(2.0)),
    "log10p1": lambda values: np.expm1(values * np.log(10.0)),
}


def linear(matrix: Any, log: Log) -> Any:
    """Undo ``log(1 + value)`` to a base: e (``log1p``), 2 or 10.

    Parameters
    ----------
    matrix
        Sparse or dense, cells x genes; zeros stay zeros.
    log
        What was done to the values; ``none`` leaves them as they are.

    Returns
    -------
    scipy.sparse.csr_matrix or numpy.ndarray
        Float64 where something was undone.
    """
    if log == "none":
        return matrix
    if not sp.issparse(matrix):
        return _INVERSE[log](np.asarray(matrix, dtype=np.float64))
    undone = sp.csr_matrix(matrix, dtype=np.float64)
    undone.data = _INVERSE[log](undone.data)
    return undone


def erase(
    counts: sp.csr_matrix, genes: Sequence[str] | None, wrong: Sequence[str], file: Path
) -> sp.csr_matrix:
    """Set the values of some genes to zero.

    Parameters
    ----------
    counts
        cells x genes.
    genes
        Names of the columns.
    wrong
        The genes.
    file
        Named in errors.

    Raises
    ------
    BlindfoldError
        Where there is no such gene.
    """
    if not wrong:
        return counts
    known = dict.fromkeys(genes or [])
    for name in wrong:
        lookup(known, name, "options.erase", file)
    kept = np.array([name not in set(wrong) for name in genes or []], dtype=counts.dtype)
    erased = sp.csr_matrix(counts @ sp.diags(kept))
    erased.eliminate_zeros()
    return erased
