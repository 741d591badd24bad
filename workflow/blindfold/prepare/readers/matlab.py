"""MATLAB files (.mat), those of version 7.3 (HDF5) too."""

from __future__ import annotations

from pathlib import Path
from typing import Any, Literal

import numpy as np
import scipy.sparse as sp
from anndata import AnnData
from pydantic import Field
from scipy.io import loadmat, whosmat

from blindfold.core.datasets import DatasetCard
from blindfold.core.strict import Strict
from blindfold.prepare.readers import _matlab_hdf5
from blindfold.prepare.readers._assemble import assemble, check_length
from blindfold.prepare.readers._logarithms import Log, linear
from blindfold.prepare.reading import lookup, reading, text


class Options(Strict):
    """Options of the reader: names of variables."""

    matrix: str = Field(description="variable with the matrix, full or sparse")
    cells: Literal["rows", "columns"] = Field("rows", description="what the cells are in it")
    labels: str | None = Field(None, description="variable with the labels, in the cells' order")
    cell: str | None = Field(None, description="variable with the cell names")
    gene: str | None = Field(None, description="variable with the gene names")
    log: Log = Field("none", description="logarithm that is undone")


def read(files: dict[str, Path], options: Options, card: DatasetCard) -> AnnData:
    """Read cells.

    Parameters
    ----------
    files
        Role ``counts``: the file.
    options
        See `Options`.
    card
        The dataset's card; its label column receives the labels.

    Returns
    -------
    anndata.AnnData
        The matrix.

    Raises
    ------
    BlindfoldError
        Where the file is no MATLAB file, a variable is not there, or lengths do not agree.
    """
    file = files["counts"]
    wanted = {
        field: name
        for field in ("matrix", "labels", "cell", "gene")
        if (name := getattr(options, field)) is not None
    }
    variables = _load(file, set(wanted.values()))
    found = {
        field: lookup(variables, name, f"options.{field}", file) for field, name in wanted.items()
    }
    matrix = found["matrix"].T if options.cells == "columns" else found["matrix"]
    counts = linear(sp.csr_matrix(matrix), options.log)
    obs = {}
    if "labels" in found:
        labels = np.asarray(found["labels"]).ravel()
        check_length(labels, counts.shape[0], "labels", file)
        obs[card.label.column if card.label is not None else "label"] = labels
    cells, genes = (
        text(np.asarray(found[field]).ravel()) if field in found else None
        for field in ("cell", "gene")
    )
    return assemble(counts, cells, genes, obs, file)


def _load(file: Path, wanted: set[str]) -> dict[str, Any]:
    """Return the wanted variables by name; of the others at most the names."""
    with reading(file, "the file", "a MATLAB file: .mat"):
        try:
            others = dict.fromkeys(name for name, _, _ in whosmat(file))
            loaded = loadmat(file, variable_names=sorted(wanted), chars_as_strings=True)
        except NotImplementedError:  # version 7.3
            return _matlab_hdf5.load(file, wanted)
    return others | {name: _plain(loaded[name]) for name in wanted & set(loaded)}


def _plain(value: Any) -> Any:
    """Return a cell array of strings as an object array of strings; anything else as it is."""
    if isinstance(value, np.ndarray) and value.dtype == object:
        each = [np.asarray(item).ravel() for item in value.ravel()]
        return np.array([item[0] if len(item) else "" for item in each], dtype=object)
    return value
