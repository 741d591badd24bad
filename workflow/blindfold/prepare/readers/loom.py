"""Loom files: a matrix of genes x cells with attributes of both."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import scipy.sparse as sp
from pydantic import Field

from blindfold.core import io
from blindfold.core.datasets import DatasetCard
from blindfold.core.errors import BlindfoldError
from blindfold.core.strict import Strict
from blindfold.prepare.readers._hdf5 import member, opened, sparse
from blindfold.prepare.readers._parts import assemble, choose, text

if TYPE_CHECKING:
    from anndata import AnnData


class Options(Strict):
    """Options of the reader; attributes are named as in the file."""

    cell: str = Field("CellID", description="column attribute with the cell names")
    gene: str = Field("Gene", description="row attribute with the gene names")
    layer: str | None = Field(None, description="layer with the counts, instead of the matrix")
    coordinates: tuple[str, str] | None = Field(None, description="column attributes of x and y")
    where: dict[str, str | int] = Field(
        {}, description="keep the cells in which a column attribute has this value"
    )


def read(files: dict[str, Path], options: dict[str, Any], card: DatasetCard) -> AnnData:
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
    chosen = io.validate(Options, options, f"card {card.title!r}: options")
    file = files["counts"]
    with opened(file) as loom:
        place = "matrix" if chosen.layer is None else f"layers/{chosen.layer}"
        counts = sp.csr_matrix(sparse(member(loom, place, file)).T)
        attributes = _attributes(member(loom, "col_attrs", file))
        genes = text(member(member(loom, "row_attrs", file), chosen.gene, file)[:])
    cells = choose(attributes, chosen.cell, "options.cell", file)
    adata = assemble(counts, list(cells), genes, attributes, file)
    if chosen.coordinates is not None:
        xy = [choose(attributes, name, "options.coordinates", file) for name in chosen.coordinates]
        adata.obsm["spatial"] = np.column_stack(xy).astype(np.float64)
    kept = _kept(attributes, chosen.where, adata.n_obs, file)
    return adata if kept.all() else adata[kept].copy()


def _attributes(group: Any) -> dict[str, np.ndarray]:
    """Return the column attributes with one value a cell; strings are decoded."""
    columns = {name: values[:] for name, values in group.items() if values.ndim == 1}
    return {
        name: values if values.dtype.kind in "biuf" else np.array(text(values), dtype=object)
        for name, values in columns.items()
    }


def _kept(
    attributes: dict[str, np.ndarray], where: dict[str, str | int], cells: int, file: Path
) -> np.ndarray:
    kept = np.ones(cells, dtype=bool)
    for name, value in where.items():
        found = choose(attributes, name, "options.where", file)
        kept &= np.array(text(found), dtype=object) == str(value)
    if not kept.any():
        raise BlindfoldError(
            "no cell is kept", file=file, field="options.where", found=where,
            expected="values that occur in the column attributes",
        )  # fmt: skip
    return kept
