"""An AnnData file: counts in ``X``, in ``raw`` or in a layer; large ones stay on disk."""

from __future__ import annotations

import warnings
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import anndata
import h5py
import numpy as np
import pandas as pd
import scipy.sparse as sp
from anndata import AnnData
from anndata.io import read_elem, sparse_dataset
from pydantic import Field

from blindfold.core.blocks import join_blocks, numbered_blocks
from blindfold.core.datasets import DatasetCard
from blindfold.core.errors import BlindfoldError, did_you_mean
from blindfold.core.strict import Strict
from blindfold.prepare.readers._assemble import cells_where, coordinates_of
from blindfold.prepare.readers._hdf5 import open_hdf5
from blindfold.prepare.readers._logarithms import Log, linear
from blindfold.prepare.reading import lookup

IN_MEMORY = 2**26
"""Stored values up to which a matrix is loaded; larger ones are read block by block."""

_OTHER_FORMATS = {
    "row_attrs": "this is a loom file: write a card with reader loom",
    "matrix": "this may be a 10x matrix: write a card with reader tenx_h5",
    "exprs": "this is one of the deep clustering files: write a card with reader xy_h5",
    "Y": "this is one of the deep clustering files: write a card with reader xy_h5",
}


class Options(Strict):
    """Options of the reader."""

    layer: str = Field("X", description="where the values are: X, raw, or the name of a layer")
    cell_column: str | None = Field(
        None, description="obs column of cell names, instead of the index"
    )
    where: dict[str, str | int | float] = Field(
        {}, description="keep the cells in which an obs column has this value"
    )
    coordinates: str | tuple[str, str] = Field(
        "spatial", description="a key of obsm, or the obs columns of x and y"
    )
    log: Log = Field("none", description="what is undone: log1p, log2p1 or log10p1 of the values")


def read(files: dict[str, Path], options: Options, card: DatasetCard) -> AnnData:
    """Read an h5ad.

    Parameters
    ----------
    files
        Role ``cells``: the file.
    options
        See `Options`.
    card
        The dataset's card.

    Returns
    -------
    anndata.AnnData
        ``X`` in memory, or opened in the file where it has more than ``IN_MEMORY`` values;
        every column of ``obs``; ``obsm["spatial"]`` where there are coordinates.

    Raises
    ------
    BlindfoldError
        For a file that is no AnnData or damaged, and for a missing layer, column or key.
    """
    path = files["cells"]
    with warnings.catch_warnings():
        # old files make anndata warn of every column, and repeated names are for `prepare` to see
        warnings.simplefilter("ignore")
        file = open_h5ad(path)
        known = layer_names(file)
        if options.layer not in known:
            raise BlindfoldError(
                "no such layer", file=path, field="options.layer", found=options.layer,
                expected="one of " + ", ".join(known), remedy=did_you_mean(options.layer, known),
            )  # fmt: skip
        try:
            if "encoding-type" in file.attrs:
                return _read_parts(file, options, path)
            file.close()
            return _read_whole(path, options)
        except BlindfoldError:
            raise
        except Exception as error:  # whatever an unknown or damaged layout makes anndata raise
            raise _unreadable(path, error) from error


def open_h5ad(path: Path) -> h5py.File:
    """Open a file for reading.

    Raises
    ------
    BlindfoldError
        Where the file is no AnnData; some other formats are recognised.
    """
    file = open_hdf5(path, "an h5ad file")
    if "obs" not in file or "var" not in file:
        hints = (hint for name, hint in _OTHER_FORMATS.items() if name in file)
        raise BlindfoldError(
            "an HDF5 file, but no AnnData", file=path, found=", ".join(file),
            expected="the groups X, obs and var of an h5ad file",
            remedy=next(hints, "use the reader of this file's format"),
        )  # fmt: skip
    return file


def layer_names(file: h5py.File) -> list[str]:
    """Return the names of all matrices of an h5ad, as the option ``layer`` takes them."""
    names = [*(["X"] if "X" in file else []), *file.get("layers", {})]
    return [*names, *(["raw"] if "raw/X" in file or "raw.X" in file else [])]


def _read_parts(file: h5py.File, chosen: Options, path: Path) -> AnnData:
    """Read nothing but the parts that are asked for."""
    matrix = {"X": "X", "raw": "raw/X"}.get(chosen.layer, f"layers/{chosen.layer}")
    genes = "raw/var" if chosen.layer == "raw" else "var"
    obs, var = read_elem(file["obs"]), read_elem(file[genes])
    positions = _positions(file.get("obsm", {}), read_elem, chosen, path)
    return _assemble(_load(file[matrix]), obs, var, positions, chosen, path)


def _read_whole(path: Path, chosen: Options) -> AnnData:
    """Read a file of an anndata before 0.8, whole: it is small, and only anndata knows how."""
    whole = anndata.read_h5ad(path)
    source = whole.raw if chosen.layer == "raw" else whole
    matrix = source.X if chosen.layer in ("X", "raw") else whole.layers[chosen.layer]
    positions = _positions(whole.obsm, np.asarray, chosen, path)
    return _assemble(matrix, whole.obs, source.var, positions, chosen, path)


def _positions(
    obsm: Mapping[str, Any], load: Callable[[Any], Any], chosen: Options, path: Path
) -> np.ndarray | None:
    """Return the positions that stand in ``obsm``, if any."""
    key = chosen.coordinates
    if not isinstance(key, str) or (key not in obsm and key == Options().coordinates):
        return None
    stored = lookup(obsm, key, "options.coordinates", path)
    return np.asarray(load(stored), dtype=np.float64)


def _load(stored: h5py.Group | h5py.Dataset) -> Any:
    """Return a matrix: in memory where it is small or has compressed columns, else opened."""
    if isinstance(stored, h5py.Dataset):
        return stored if stored.size > IN_MEMORY else stored[()]
    opened = sparse_dataset(stored)
    if opened.format == "csr" and stored["data"].size > IN_MEMORY:
        return opened
    return opened.to_memory().tocsr()


def _assemble(
    matrix: Any, obs: pd.DataFrame, var: pd.DataFrame, positions: np.ndarray | None,
    chosen: Options, path: Path,
) -> AnnData:  # fmt: skip
    """Put the parts together, with the cells and names that the options ask for."""
    if not isinstance(chosen.coordinates, str):
        positions = coordinates_of(obs, chosen.coordinates, "options.coordinates", path)
    if chosen.cell_column is not None:
        names = lookup(obs, chosen.cell_column, "options.cell_column", path).astype(str)
        obs = obs.set_index(pd.Index(names.to_numpy(dtype=object)))
    keep = cells_where(obs, chosen.where, len(obs), path)
    if not keep.all():
        matrix, obs = _rows(matrix, keep), obs[keep]
        positions = None if positions is None else positions[keep]
    if chosen.log != "none":
        matrix = linear(_rows(matrix, np.ones(len(obs), dtype=bool)), chosen.log)
    obs.index, var.index = obs.index.astype(str), var.index.astype(str)
    adata = AnnData(matrix, obs=obs, var=pd.DataFrame(index=var.index))
    if positions is not None:
        adata.obsm["spatial"] = positions
    return adata


def _rows(matrix: Any, keep: np.ndarray) -> sp.csr_matrix:
    """Return chosen rows in memory, read block by block where the matrix lies on disk."""
    return join_blocks(block[keep[rows]] for rows, block in numbered_blocks(matrix))


def _unreadable(path: Path, error: Exception) -> BlindfoldError:
    """Return the message for a file of a newer anndata, or for a damaged one."""
    reason = f"{type(error).__name__}: {str(error).splitlines()[0][:200]}"
    newer = "IORegistry" in type(error).__name__ or "No read method" in str(error)
    return BlindfoldError(
        "written by another version of anndata" if newer else "truncated or damaged h5ad file",
        file=path, found=reason, expected="an h5ad file that this anndata can read",
        remedy="update anndata, or write the file with an older one" if newer
        else "get the file again",
    )  # fmt: skip
