"""Loom files: a matrix of genes x cells with attributes of both."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import scipy.sparse as sp
from anndata import AnnData
from pydantic import Field

from blindfold.core.datasets import DatasetCard
from blindfold.core.strict import Strict
from blindfold.prepare.readers._assemble import assemble, cells_where, coordinates_of
from blindfold.prepare.readers._hdf5 import open_hdf5, read_matrix
from blindfold.prepare.reading import lookup, text


class Options(Strict):
    """Options of the reader; attributes are named as in the file."""

    cell: str = Field("CellID", description="column attribute with the cell names")
    gene: str = Field("Gene", description="row attribute with the gene names")
    layer: str | None = Field(None, description="layer with the counts, instead of the matrix")
    coordinates: tuple[str, str] | None = Field(None, description="column attributes of x and y")
    where: dict[str, str | int] = Field(
        {}, description="keep the cells in which a column attribute has this value"
    )


def read(files: dict[str, Path], options: Options, card: DatasetCard) -> AnnData:
    """Read cells.

    Parameters
    ----------
    files
        Role ``counts``: the loom file.
    options
        See `Options`.
    card
        The dataset's card.

    Returns
    -------
    anndata.AnnData
        The kept cells, with every column attribute that has one value a cell in ``obs``.

    Raises
    ------
    BlindfoldError
        Where the file is no loom, an attribute is not there, or no cell is kept.
    """
    file = files["counts"]
    with open_hdf5(file) as loom:
        matrix = "matrix" if options.layer is None else f"layers/{options.layer}"
        counts = sp.csr_matrix(read_matrix(lookup(loom, matrix, "options.layer", file)).T)
        attributes = _attributes(lookup(loom, "col_attrs", "col_attrs", file))
        rows = lookup(loom, "row_attrs", "row_attrs", file)
        genes = text(lookup(rows, options.gene, "options.gene", file)[:])
    cells = lookup(attributes, options.cell, "options.cell", file)
    adata = assemble(counts, list(cells), genes, attributes, file)
    if options.coordinates is not None:
        names = options.coordinates
        adata.obsm["spatial"] = coordinates_of(attributes, names, "options.coordinates", file)
    kept = cells_where(attributes, options.where, adata.n_obs, file)
    return adata if kept.all() else adata[kept].copy()


def _attributes(group: Any) -> dict[str, np.ndarray]:
    """Return the column attributes with one value a cell; strings are decoded."""
    columns = {name: values[:] for name, values in group.items() if values.ndim == 1}
    return {
        name: values if values.dtype.kind in "biuf" else np.array(text(values), dtype=object)
        for name, values in columns.items()
    }
