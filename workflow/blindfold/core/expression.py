"""Log-normalised expression, as markers and figures use it."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from blindfold.core import io
from blindfold.core.errors import BlindfoldError

if TYPE_CHECKING:
    import anndata


def read_expression(path: Path, cells: np.ndarray) -> anndata.AnnData:
    """Read the input, scaled to 10,000 counts per cell and log1p; a cell without counts stays 0.

    Parameters
    ----------
    path
        The blinded input.
    cells
        Names of its N cells, as the vault lists them.

    Raises
    ------
    BlindfoldError
        Where the input is damaged or its cells are not those of the vault.
    """
    import scanpy

    data = io.read_h5ad(path)
    if not np.array_equal(data.obs_names.to_numpy(dtype=str), cells):
        raise BlindfoldError(
            "the input's cells differ from those in the vault", file=path, field="obs_names",
            expected="the same names in the same order", remedy="run blind again for this dataset",
        )  # fmt: skip
    scanpy.pp.normalize_total(data, target_sum=1e4)
    scanpy.pp.log1p(data)
    return data
