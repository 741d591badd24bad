"""An h5ad whose ``raw`` holds log-normalised counts, as scanpy's tutorials leave it."""

from __future__ import annotations

import warnings
from pathlib import Path

import numpy as np
import pandas as pd
import scipy.sparse as sp
from anndata import AnnData
from pydantic import Field

from blindfold.core import io
from blindfold.core.datasets import DatasetCard
from blindfold.core.errors import BlindfoldError
from blindfold.core.strict import Strict
from blindfold.prepare.reading import lookup

TOLERANCE = 0.1
"""How far from an integer a recovered count may lie before it is rounded."""


class Options(Strict):
    """Options of the reader."""

    total: str = Field("n_counts", description="obs column of each cell's total count")
    target_sum: float = Field(10_000, gt=0, description="what the totals were scaled to")


def read(files: dict[str, Path], options: Options, card: DatasetCard) -> AnnData:
    """Read cells and recover their counts.

    Parameters
    ----------
    files
        Role ``cells``: the h5ad.
    options
        See `Options`.
    card
        The dataset's card.

    Returns
    -------
    anndata.AnnData
        Counts of the genes of ``raw``, with every column of ``obs``.

    Raises
    ------
    BlindfoldError
        For an unknown option, or where the counts cannot be recovered exactly.
    """
    with warnings.catch_warnings():
        # anndata warns of every column of an old file, and that it moves graphs nobody reads here
        warnings.simplefilter("ignore", PendingDeprecationWarning)
        warnings.filterwarnings("ignore", message="Moving element", category=FutureWarning)
        source = io.read_h5ad(files["cells"])
    counts = recover_from_raw(source, options.total, options.target_sum, files["cells"])
    return AnnData(counts, obs=source.obs, var=pd.DataFrame(index=source.raw.var_names))


def recover_from_raw(adata: AnnData, total: str, target_sum: float, file: Path) -> sp.csr_matrix:
    """Recover the counts behind ``adata.raw``.

    Parameters
    ----------
    adata
        Its ``raw`` holds the log-normalised values.
    total
        Column of ``obs`` with the total counts.
    target_sum
        What the totals were scaled to.
    file
        Named in errors.

    Returns
    -------
    scipy.sparse.csr_matrix
        Counts, cells x genes of ``raw``, float32.

    Raises
    ------
    BlindfoldError
        Where ``raw`` or the column is missing, or an entry is not within 0.1 of an integer: the
        worst entry is named.
    """
    if adata.raw is None:
        raise BlindfoldError("there is no raw expression", file=file, field="raw")
    totals = lookup(adata.obs, total, "options.total", file).to_numpy()
    counts, distance = recover_counts(adata.raw.X, totals, target_sum)
    worst = int(np.argmax(distance)) if len(distance) else 0
    if len(distance) and not distance[worst] <= TOLERANCE:
        row = int(np.searchsorted(counts.indptr, worst, side="right")) - 1
        cell, gene = adata.obs_names[row], adata.raw.var_names[counts.indices[worst]]
        raise BlindfoldError(
            "the values are no log-normalised counts", file=file,
            field=f"raw[{cell!r}, {gene!r}]", found=f"{distance[worst]:.3g} from an integer",
            expected=f"at most {TOLERANCE}, with totals from {total!r} scaled to {target_sum:g}",
        )  # fmt: skip
    counts.eliminate_zeros()
    return counts


def recover_counts(
    expression: sp.csr_matrix, totals: np.ndarray, target_sum: float
) -> tuple[sp.csr_matrix, np.ndarray]:
    """Invert ``log(1 + target_sum * count / total)``.

    Parameters
    ----------
    expression
        Log-normalised values, cells x genes.
    totals
        Total count of each cell before normalisation, over all genes that were measured.
    target_sum
        What the totals were scaled to.

    Returns
    -------
    tuple of scipy.sparse.csr_matrix and numpy.ndarray
        Rounded counts, float32, with the sparsity of ``expression``; and for each stored entry the
        distance from its integer before rounding (in counts).
    """
    matrix = sp.csr_matrix(expression, dtype=np.float64)
    per_entry = np.repeat(np.asarray(totals, dtype=np.float64), np.diff(matrix.indptr))
    exact = np.expm1(matrix.data) * per_entry / target_sum
    matrix.data = np.rint(exact)
    counts = matrix.astype(np.float32)
    return counts, np.abs(exact - matrix.data)
