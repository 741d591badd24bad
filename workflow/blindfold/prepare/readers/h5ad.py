"""An AnnData file: counts in ``X``, in ``raw`` or in a layer; large ones stay on disk."""

from __future__ import annotations

import warnings
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from pydantic import Field

from blindfold.core import io
from blindfold.core.blocks import row_blocks
from blindfold.core.datasets import DatasetCard
from blindfold.core.errors import BlindfoldError, did_you_mean
from blindfold.core.strict import Strict
from blindfold.prepare.labels import as_text
from blindfold.prepare.readers._linear import Log, linear
from blindfold.prepare.readers._open import open_hdf5

if TYPE_CHECKING:
    import h5py
    import pandas as pd
    from anndata import AnnData

IN_MEMORY = 2**26
"""Stored values up to which a matrix is loaded; larger ones are read block by block."""


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


def read(files: dict[str, Path], options: dict[str, Any], card: DatasetCard) -> AnnData:
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
    chosen = io.validate(Options, options, f"card {card.title!r}: options")
    path = files["cells"]
    with warnings.catch_warnings():
        # old files make anndata warn of every column, and repeated names are for `prepare` to see
        warnings.simplefilter("ignore")
        opened = open_hdf5(path)
        _check_parts(opened, path)
        if "encoding-type" in opened.attrs:
            return _modern(opened, chosen, path)
        opened.close()
        return _legacy(path, chosen)


def _check_parts(file: h5py.File, path: Path) -> None:
    for part in ("obs", "var"):
        if part not in file:
            raise BlindfoldError(
                "an HDF5 file, but no AnnData", file=path, field=part, found=", ".join(file),
                expected="the groups X, obs and var of an h5ad file",
                remedy="use the reader of this file's format",
            )  # fmt: skip


def _modern(file: h5py.File, chosen: Options, path: Path) -> AnnData:
    """Read nothing but the parts that are asked for."""
    import anndata

    place, genes = _place(file, chosen.layer, path)
    try:
        obs = anndata.io.read_elem(file["obs"])
        var = anndata.io.read_elem(file[genes])
        obsm = _positions(file, chosen, path)
        matrix = _matrix(file[place])
    except BlindfoldError:
        raise
    except Exception as error:  # whatever an unknown or damaged layout makes anndata raise
        raise _unreadable(path, error) from error
    return _assemble(matrix, obs, var, obsm, chosen, path)


def _place(file: h5py.File, layer: str, path: Path) -> tuple[str, str]:
    """Return where in the file the matrix and its genes lie."""
    place = {"X": "X", "raw": "raw/X"}.get(layer, f"layers/{layer}")
    if place not in file:
        layers = list(file["layers"]) if "layers" in file else []
        known = [*(["X"] if "X" in file else []), *(["raw"] if "raw/X" in file else []), *layers]
        raise BlindfoldError(
            "no such layer", file=path, field="options.layer", found=layer,
            expected="one of " + ", ".join(known), remedy=did_you_mean(layer, known),
        )  # fmt: skip
    return place, "raw/var" if layer == "raw" else "var"


def _positions(file: h5py.File, chosen: Options, path: Path) -> np.ndarray | None:
    """Return the positions that stand in ``obsm``, if any."""
    import anndata

    if not isinstance(chosen.coordinates, str):
        return None
    known = list(file["obsm"]) if "obsm" in file else []
    if chosen.coordinates in known:
        return np.asarray(anndata.io.read_elem(file["obsm"][chosen.coordinates]), dtype=np.float64)
    if chosen.coordinates != Options().coordinates:
        raise BlindfoldError(
            "no such key in obsm", file=path, field="options.coordinates",
            found=chosen.coordinates, remedy=did_you_mean(chosen.coordinates, known),
        )  # fmt: skip
    return None


def _matrix(stored: h5py.Group | h5py.Dataset) -> Any:
    """Return a matrix: in memory where it is small or has compressed columns, else opened."""
    import anndata
    import h5py

    if isinstance(stored, h5py.Dataset):
        return stored if stored.size > IN_MEMORY else stored[()]
    opened = anndata.io.sparse_dataset(stored)
    if opened.format == "csr" and stored["data"].size > IN_MEMORY:
        return opened
    return opened.to_memory().tocsr()


def _legacy(path: Path, chosen: Options) -> AnnData:
    """Read a file of an anndata before 0.8, whole: it is small, and only anndata knows how."""
    import anndata

    try:
        whole = anndata.read_h5ad(path)
    except Exception as error:  # as above
        raise _unreadable(path, error) from error
    layers = {"X": whole.X, "raw": whole.raw.X if whole.raw else None, **whole.layers}
    if layers.get(chosen.layer) is None:
        known = [name for name, layer in layers.items() if layer is not None]
        raise BlindfoldError(
            "no such layer", file=path, field="options.layer", found=chosen.layer,
            expected="one of " + ", ".join(known), remedy=did_you_mean(chosen.layer, known),
        )  # fmt: skip
    positions = None
    if isinstance(chosen.coordinates, str) and chosen.coordinates in whole.obsm:
        positions = np.asarray(whole.obsm[chosen.coordinates], dtype=np.float64)
    var = whole.raw.var if chosen.layer == "raw" else whole.var
    return _assemble(layers[chosen.layer], whole.obs, var, positions, chosen, path)


def _assemble(
    matrix: Any, obs: pd.DataFrame, var: pd.DataFrame, positions: np.ndarray | None,
    chosen: Options, path: Path,
) -> AnnData:  # fmt: skip
    """Put the parts together, with the cells and names that the options ask for."""
    import anndata
    import pandas as pd

    if not isinstance(chosen.coordinates, str):
        columns = [_column(obs, name, "coordinates", path) for name in chosen.coordinates]
        positions = np.column_stack([column.to_numpy(dtype=np.float64) for column in columns])
    if chosen.cell_column is not None:
        names = _column(obs, chosen.cell_column, "cell_column", path).astype(str)
        obs = obs.set_index(pd.Index(names.to_numpy(dtype=object)))
    keep = _kept(obs, chosen, path)
    if not keep.all():
        matrix, obs = _rows(matrix, keep), obs[keep]
        positions = None if positions is None else positions[keep]
    if chosen.log != "none":
        matrix = linear(_rows(matrix, np.ones(len(obs), dtype=bool)), chosen.log)
    obs.index, var.index = obs.index.astype(str), var.index.astype(str)
    adata = anndata.AnnData(matrix, obs=obs, var=pd.DataFrame(index=var.index))
    if positions is not None:
        adata.obsm["spatial"] = positions
    return adata


def _column(obs: pd.DataFrame, name: str, option: str, path: Path) -> pd.Series:
    if name not in obs:
        raise BlindfoldError(
            f"no column {name!r} in obs", file=path, field=f"options.{option}",
            remedy=did_you_mean(name, map(str, obs.columns)),
        )  # fmt: skip
    return obs[name]


def _kept(obs: pd.DataFrame, chosen: Options, path: Path) -> np.ndarray:
    """Tell which cells have all the values asked for."""
    import pandas as pd

    keep = np.ones(len(obs), dtype=bool)
    for name, value in chosen.where.items():
        wanted = as_text(pd.Series([value]))[0]
        keep &= (as_text(_column(obs, name, "where", path)) == wanted).to_numpy()
    if not keep.any():
        raise BlindfoldError(
            "no cell is left", file=path, field="options.where", found=chosen.where
        )
    return keep


def _rows(matrix: Any, keep: np.ndarray) -> Any:
    """Return chosen rows in memory, read block by block where the matrix lies on disk."""
    import scipy.sparse as sp

    ends, parts = 0, []
    for block in row_blocks(matrix):
        start, ends = ends, ends + block.shape[0]
        parts.append(block[keep[start:ends]])
    return sp.csr_matrix(sp.vstack(parts, format="csr"))


def _unreadable(path: Path, error: Exception) -> BlindfoldError:
    """Tell a newer file from a damaged one."""
    reason = f"{type(error).__name__}: {str(error).splitlines()[0][:200]}"
    newer = "IORegistry" in type(error).__name__ or "No read method" in str(error)
    return BlindfoldError(
        "written by another version of anndata" if newer else "truncated or damaged h5ad file",
        file=path, found=reason, expected="an h5ad file that this anndata can read",
        remedy="update anndata, or write the file with an older one" if newer
        else "get the file again",
    )  # fmt: skip
