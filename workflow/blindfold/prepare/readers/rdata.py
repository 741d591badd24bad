"""R data files (.rda, .RData): matrices, data frames and Seurat objects, without R."""

from __future__ import annotations

from pathlib import Path
from typing import Any, Literal

import numpy as np
import pandas as pd
import scipy.sparse as sp
import xarray
from anndata import AnnData
from pydantic import Field

from blindfold.core.datasets import DatasetCard
from blindfold.core.errors import BlindfoldError
from blindfold.core.strict import Strict
from blindfold.prepare.readers._assemble import assemble, check_length, coordinates_of, cut_names
from blindfold.prepare.readers._logarithms import Log, erase, linear
from blindfold.prepare.readers._r_objects import load, matrix_at, object_at
from blindfold.prepare.reading import lookup, match_rows, text


class Options(Strict):
    """Options of the reader.

    Each object is found by a list of keys: its name, then members of lists and slots of S4 objects
    by name, positions in unnamed lists (from 0), columns of data frames. The counts of a Seurat
    object are ``[name, assays, RNA, counts]``, its cells ``[name, meta.data]``.
    """

    matrix: list[str | int] = Field(min_length=1, description="keys of the matrix")
    cells: Literal["columns", "rows"] = Field("columns", description="what the cells are in it")
    labels: list[str | int] | None = Field(
        None, description="keys of a label vector, in the order of the cells unless it has names"
    )
    obs: list[str | int] | None = Field(
        None, description="keys of a data frame about the cells, matched by name"
    )
    obs_key: str | None = Field(None, description="its column of cell names; default: row names")
    coordinates: tuple[str, str] | None = Field(None, description="its columns of x and y")
    name_part: dict[str, str] = Field(
        {}, description="columns cut from cell names: column -> pattern with one group"
    )
    log: Log = Field("none", description="logarithm that is undone")
    erase: list[str] = Field([], description="genes whose values are wrong in the file: set to 0")


def read(files: dict[str, Path], options: Options, card: DatasetCard) -> AnnData:
    """Read cells from R objects.

    Parameters
    ----------
    files
        Role ``counts``: the file with the matrix. Role ``obs``, if any: a second file whose objects
        are found as well.
    options
        See `Options`.
    card
        The dataset's card; its label column receives the label vector.

    Returns
    -------
    anndata.AnnData
        The matrix, with the columns of the data frame, the label vector and the parts of names in
        ``obs``.

    Raises
    ------
    BlindfoldError
        Where the file is no R data, a key is not there, or names or lengths do not agree.
    """
    file = files["counts"]
    objects = load(file) | (load(files["obs"]) if "obs" in files else {})
    values, cells, genes = matrix_at(objects, options.matrix, file)
    if options.cells == "columns":
        values, cells, genes = values.T, genes, cells
    counts = erase(linear(sp.csr_matrix(values), options.log), genes, options.erase, file)
    obs = _obs(objects, options, cells, counts.shape[0], file)
    if options.labels is not None:
        column = card.label.column if card.label is not None else "label"
        obs[column] = _labels(
            object_at(objects, options.labels, file), cells, counts.shape[0], file
        )
    if options.name_part:
        obs |= cut_names(_named(cells, file), options.name_part, file)
    adata = assemble(counts, cells, genes, obs, file)
    if options.coordinates is not None:
        names = options.coordinates
        adata.obsm["spatial"] = coordinates_of(obs, names, "options.coordinates", file)
    return adata


def _named(cells: list[str] | None, file: Path) -> list[str]:
    if cells is None:
        raise BlindfoldError("the cells have no names", file=file, field="options.name_part")
    return cells


def _obs(
    objects: dict[str, Any], chosen: Options, cells: list[str] | None, length: int, file: Path
) -> dict[str, Any]:
    """Return the columns of the data frame, in the order of the cells."""
    if chosen.obs is None:
        return {}
    frame: pd.DataFrame = object_at(objects, chosen.obs, file)
    frame = frame.set_axis([str(column) for column in frame.columns], axis=1)
    if cells is None:
        # nothing but the order says which row is which cell
        check_length(frame, length, "rows of the table of cells", file)
        return {column: frame[column] for column in frame}
    key = chosen.obs_key
    names = frame.index if key is None else lookup(frame, key, "options.obs_key", file)
    joined = match_rows(frame, names, cells, file)
    return {column: joined[column] for column in joined}


def _labels(found: Any, cells: list[str] | None, length: int, file: Path) -> list[str]:
    """Return a label vector in the order of the cells."""
    if isinstance(found, xarray.DataArray) and found.coords and cells is not None:
        names = found.coords[found.dims[0]].values
        frame = match_rows(pd.DataFrame({"label": found.values}), names, cells, file)
        return text(frame["label"])
    check_length(found, length, "labels", file)
    return text(np.asarray(found, dtype=object))
