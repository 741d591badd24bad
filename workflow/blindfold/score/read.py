"""Reading what earlier steps wrote, checked."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from blindfold.core import io
from blindfold.core.errors import BlindfoldError
from blindfold.core.layout import Layout

if TYPE_CHECKING:
    import anndata
    import pandas as pd


def read_table(file: Path, columns: list[str]) -> pd.DataFrame:
    """Read a parquet table that must have some columns.

    Raises
    ------
    BlindfoldError
        Where the file is missing, damaged or lacks a column.
    """
    import pandas as pd

    if not file.is_file():
        raise BlindfoldError("file not found", file=file, remedy="run the step that writes it")
    try:
        table = pd.read_parquet(file)
    except Exception as error:
        raise BlindfoldError(
            "cannot read the table: truncated or damaged",
            file=file,
            found=f"{type(error).__name__}: {str(error).splitlines()[0]}",
            expected="parquet",
            remedy="delete it and run the step that writes it again",
        ) from error
    for column in columns:
        if column not in table:
            raise BlindfoldError(
                "a column is missing", file=file, field=column, found=list(table.columns)
            )
    return table


def read_partition(path: Path, cells: np.ndarray) -> tuple[np.ndarray, list[str]]:
    """Read the clusters of one run in the order of ``cells``: codes from 0, and their names.

    Raises
    ------
    BlindfoldError
        Where the table does not give every cell exactly one cluster: a partial answer is never
        scored as if complete.
    """
    return _partition(read_table(path, ["cell", "cluster"]), path, cells)


def read_snapshots(path: Path, cells: np.ndarray) -> dict[int, np.ndarray]:
    """Read the partitions kept during training by epoch, as `read_partition`; none where no file.

    Epoch 0 is the partition that training began with.
    """
    if not path.is_file():
        return {}
    table = read_table(path, ["epoch", "cell", "cluster"])
    parts = table.groupby("epoch", sort=True)
    return {int(epoch): _partition(part, path, cells)[0] for epoch, part in parts}


def _partition(table: pd.DataFrame, path: Path, cells: np.ndarray) -> tuple[np.ndarray, list[str]]:
    import pandas as pd

    names = table["cell"].astype(str)
    twice, lost = names[names.duplicated()], np.setdiff1d(cells, names)
    extra = np.setdiff1d(names, cells)
    for what, bad in (("twice", twice), ("missing", lost), ("unknown", extra)):
        if len(bad):
            raise BlindfoldError(
                "clusters must hold every cell once",
                file=path,
                field="cell",
                found=f"{len(bad)} cells {what}, such as {sorted(bad)[0]!r}",
                expected=f"the {len(cells)} cells of the input",
                remedy="delete the run's folder and run it again",
            )
    clusters = pd.Series(table["cluster"].to_numpy(), index=names).reindex(cells)
    if clusters.isna().any():
        raise BlindfoldError("a cell has no cluster", file=path, field="cluster")
    names_of, codes = np.unique(clusters.to_numpy(), return_inverse=True)
    return codes.astype(np.int64), [str(name) for name in names_of]


def read_record(results: Layout, dataset: str, method: str, k: str, seed: int) -> dict[str, Any]:
    """Read the record of one run; a planned run without one was killed before it could write."""
    path = results.record(dataset, method, k, seed)
    if not path.is_file():
        return {"status": "killed", "reason": "no record"}
    record: dict[str, Any] = io.read_json(path)
    if "status" not in record:
        raise BlindfoldError("a field is missing", file=path, field="status")
    return record


def read_expression(path: Path, cells: np.ndarray) -> anndata.AnnData:
    """Read the input, scaled to 10,000 counts per cell and log1p; a cell without counts stays 0.

    Raises
    ------
    BlindfoldError
        Where the input is damaged or its cells are not those of the truth.
    """
    import scanpy

    data = io.read_h5ad(path)
    if not np.array_equal(data.obs_names.to_numpy(dtype=str), cells):
        raise BlindfoldError(
            "the input's cells differ from those in the vault",
            file=path,
            field="obs_names",
            expected="the same names in the same order",
            remedy="run blind again for this dataset",
        )
    scanpy.pp.normalize_total(data, target_sum=1e4)
    scanpy.pp.log1p(data)
    return data
