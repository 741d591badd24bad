"""HDF5 files of the deep clustering papers: ``X`` and ``Y``, or ``exprs`` with ``obs``."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
from anndata import AnnData

from blindfold.core.datasets import DatasetCard
from blindfold.core.errors import BlindfoldError
from blindfold.core.strict import Strict
from blindfold.prepare.readers._assemble import assemble, check_length
from blindfold.prepare.readers._hdf5 import open_hdf5, read_matrix
from blindfold.prepare.reading import text


class Options(Strict):
    """The reader has no options: the file itself shows which of the two layouts it has."""


def read(files: dict[str, Path], options: Options, card: DatasetCard) -> AnnData:
    """Read cells.

    Two layouts are known. scDeepCluster and scDCC: ``X`` (cells x genes) and the label vector
    ``Y``, without names. Cell BLAST, scziDesk and scTAG: ``exprs`` (dense, or a CSR group), ``obs``
    with one column a member, ``obs_names``, ``var_names``.

    Parameters
    ----------
    files
        Role ``counts``: the HDF5 file.
    options
        None; see `Options`.
    card
        The dataset's card; its label column receives ``Y``.

    Returns
    -------
    anndata.AnnData
        Values as in the file.

    Raises
    ------
    BlindfoldError
        Where the file has neither layout, or lengths do not agree.
    """
    file = files["counts"]
    with open_hdf5(file) as handle:
        if "X" in handle:
            return _read_xy(handle, card, file)
        if "exprs" in handle:
            return _read_exprs(handle, file)
        raise BlindfoldError(
            "neither of the known layouts", file=file, found=", ".join(handle),
            expected="X and Y, or exprs and obs",
        )  # fmt: skip


def _read_xy(handle: Any, card: DatasetCard, file: Path) -> AnnData:
    counts = read_matrix(handle["X"])
    obs = {}
    if "Y" in handle:
        labels = _column(handle["Y"])
        check_length(labels, counts.shape[0], "labels (Y)", file)
        obs[card.label.column if card.label is not None else "Y"] = labels
    return assemble(counts, None, None, obs, file)


def _read_exprs(handle: Any, file: Path) -> AnnData:
    columns = {name: _column(values) for name, values in handle.get("obs", {}).items()}
    obs = {name: values for name, values in columns.items() if values is not None}
    cells, genes = (
        text(handle[name][:]) if name in handle else None for name in ("obs_names", "var_names")
    )
    return assemble(read_matrix(handle["exprs"]), cells, genes, obs, file)


def _column(found: Any) -> np.ndarray | None:
    """Return a vector of numbers or strings, dictionary-encoded or not; None for anything else."""
    if hasattr(found, "dtype"):
        values = found[:].ravel()
        return values if values.dtype.kind in "biuf" else np.array(text(values), dtype=object)
    if {"categories", "codes"} <= set(found):
        # the last entry stands for code -1: no value
        names = np.array([*text(found["categories"][:]), ""], dtype=object)
        return np.asarray(names[found["codes"][:]])
    return None
