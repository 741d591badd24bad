"""Checks of what a run was given and of what it left: only whole output is ok."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from blindfold.core.errors import BlindfoldError


def read_cells(path: Path) -> tuple[list[str], bool]:
    """Return the cell names of a blinded dataset and whether it has coordinates.

    Raises
    ------
    BlindfoldError
        Where the file is missing, truncated or not a blinded dataset.
    """
    import h5py

    if not path.is_file():
        raise BlindfoldError("file not found", file=path, remedy="run the steps prepare and blind")
    try:
        with h5py.File(path, "r") as file:
            obs = file["obs"]
            names = obs[obs.attrs["_index"]].asstr()[:]
            file["X"]["data"][-1:]
            return list(names), "spatial" in file.get("obsm", {})
    except (OSError, KeyError, TypeError) as error:
        raise BlindfoldError(
            "cannot read the input: truncated, damaged or not a blinded dataset", file=path,
            found=str(error).splitlines()[0], remedy="delete it and run again",
            expected="input.h5ad as `blindfold blind` writes it",
        ) from error  # fmt: skip


def problem_with(folder: Path, cells: list[str], genes: int | None = None) -> str | None:
    """Return what is wrong with a run's output, or None where it is whole.

    Parameters
    ----------
    folder
        Where ``clusters.parquet`` and perhaps ``embedding.npy`` lie.
    cells
        The names of the cells that were given to the method, in order.
    genes
        Number of genes of ``imputed.h5ad``; None where nothing is to be imputed.
    """
    import pyarrow as pa
    import pyarrow.parquet as pq

    path = folder / "clusters.parquet"
    if not path.is_file():
        return "no clusters.parquet was written"
    try:
        table = pq.read_table(path)
    except (OSError, pa.ArrowInvalid) as error:
        return f"clusters.parquet cannot be read: {error}"
    if table.column_names != ["cell", "cluster"]:
        return f"clusters.parquet has columns {table.column_names}, expected cell, cluster"
    clusters = table["cluster"]
    if not pa.types.is_integer(clusters.type) or clusters.null_count:
        return f"clusters are {clusters.type} with {clusters.null_count} missing, expected integers"
    if table["cell"].to_pylist() != cells:
        return f"clusters.parquet must hold each of the {len(cells)} cells once, in their order"
    found = _embedding_problem(folder / "embedding.npy", len(cells))
    if found is None and genes is not None:
        found = _imputed_problem(folder / "imputed.h5ad", (len(cells), genes))
    return found


def _embedding_problem(path: Path, n_cells: int) -> str | None:
    import numpy as np

    if not path.exists():
        return None
    try:
        embedding: Any = np.load(path, allow_pickle=False)
    except (OSError, ValueError) as error:
        return f"embedding.npy cannot be read: {error}"
    if embedding.ndim != 2 or len(embedding) != n_cells or not np.isfinite(embedding).all():
        return f"embedding.npy has shape {embedding.shape}; expected {n_cells} finite rows"
    return None


def _imputed_problem(path: Path, shape: tuple[int, int]) -> str | None:
    """Check the shape alone: the child has checked every value as it wrote them."""
    import h5py

    if not path.is_file():
        return "no imputed.h5ad was written"
    try:
        with h5py.File(path, "r") as file:
            found = file["X"].shape
    except (OSError, KeyError, AttributeError) as error:
        return f"imputed.h5ad cannot be read: {error}"
    return None if found == shape else f"imputed.h5ad has shape {found}, expected {shape}"


def count_clusters(folder: Path) -> int:
    """Return the number of distinct clusters of a valid run."""
    import pyarrow.compute as pc
    import pyarrow.parquet as pq

    return int(pc.count_distinct(pq.read_table(folder / "clusters.parquet")["cluster"]).as_py())
