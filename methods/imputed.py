"""Imputed counts on their way to the disk, a block of cells at a time."""

from __future__ import annotations

import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from methods.contract import InvalidOutput


def write_imputed(imputed: Any, shape: tuple[int, int], path: Path) -> float:
    """Check and write ``imputed.npy``.

    Parameters
    ----------
    imputed
        cells x genes, or blocks of its rows in order; see `methods.contract.Result`.
    shape
        Number of cells and genes.
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
    import numpy as np

    if imputed is None:
        raise InvalidOutput("imputed is None, but entries were held out to be imputed")
    spent, done = 0.0, 0
    blocks = iter([imputed] if isinstance(imputed, np.ndarray) else imputed)
    with path.open("wb") as file:
        header = {"descr": "<f4", "fortran_order": False, "shape": shape}
        np.lib.format.write_array_header_1_0(file, header)
        for block, seconds in _timed(blocks):
            file.write(_checked(block, done, shape).tobytes())
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
