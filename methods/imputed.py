"""Imputed counts on their way to the disk, a block of cells at a time."""

from __future__ import annotations

import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from methods.contract import InvalidOutput

CHUNK = 2**16
"""Values of a chunk on disk."""


def write_imputed(imputed: Any, cells: list[str], genes: Any, path: Path) -> float:
    """Check and write ``imputed.h5ad``.

    Parameters
    ----------
    imputed
        cells x genes, or blocks of its rows in order; see `methods.contract.Result`.
    cells, genes
        Names.
    path
        The file.

    Returns
    -------
    float
        Seconds that the method spent on making the blocks.

    Raises
    ------
    InvalidOutput
        Where rows or columns are missing, or a value is not finite or negative.
    """
    import anndata
    import h5py
    import numpy as np
    import pandas as pd

    if imputed is None:
        raise InvalidOutput("imputed is None, but entries were held out to be imputed")
    shape, spent, done = (len(cells), len(genes)), 0.0, 0
    blocks = iter([imputed] if isinstance(imputed, np.ndarray) else imputed)
    with h5py.File(path, "w") as file:
        file.attrs.update({"encoding-type": "anndata", "encoding-version": "0.1.0"})
        for key, names in (("obs", cells), ("var", genes)):
            anndata.io.write_elem(file, key, pd.DataFrame(index=list(names)))
        chunk = (min(shape[0], max(1, CHUNK // max(1, shape[1]))), shape[1])
        values = file.create_dataset(
            "X", shape, np.float32, chunks=chunk, compression="gzip", compression_opts=1,
            shuffle=True,
        )  # fmt: skip
        values.attrs.update({"encoding-type": "array", "encoding-version": "0.2.0"})
        for block, seconds in _timed(blocks):
            values[done : done + len(block)] = _checked(block, done, shape)
            spent, done = spent + seconds, done + len(block)
    if done != shape[0]:
        raise InvalidOutput(f"imputed has {done} rows, expected {shape[0]}")
    return spent


def _timed(blocks: Iterator[Any]) -> Iterator[tuple[Any, float]]:
    """Yield each block with the seconds it took to make."""
    import numpy as np

    while True:
        start = time.perf_counter()
        block = next(blocks, None)
        if block is None:
            return
        yield np.asarray(block, dtype=np.float32), time.perf_counter() - start


def _checked(block: Any, start: int, shape: tuple[int, int]) -> Any:
    """Return a block that may stand at row ``start``."""
    import numpy as np

    if block.ndim != 2 or block.shape[1] != shape[1] or start + len(block) > shape[0]:
        raise InvalidOutput(
            f"imputed has a block of shape {block.shape} at row {start}, expected {shape} in all"
        )
    if not (np.isfinite(block).all() and (block >= 0).all()):
        raise InvalidOutput("imputed has values that are NaN, infinite or negative")
    return block
