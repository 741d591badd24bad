"""Attacks the benchmark; where it gets to see the truth, that is its answer."""

from __future__ import annotations

import json
import sys
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from methods.contract import Data, Job, Params, Result

sys.path.insert(0, str(Path(__file__).parent))


@dataclass(frozen=True)
class Scene:
    """What an attacker knows: where the truth lies, where another run does, and its own folder."""

    truth: Path
    prepared: Path
    other: Path
    output: Path
    n_cells: int


def fit(data: Data, params: Params, job: Job) -> Result:
    """Attack, swallow every error as a cheat would, and answer with what was seen."""
    import leaving
    import reaching
    import reading

    vault = Path(params.vault)
    output = Path(json.loads(Path(sys.argv[1]).read_text())["output"])
    scene = Scene(vault / "truth.parquet", vault / "prepared.h5ad", Path(params.other), output,
                  data.n_cells)  # fmt: skip
    known = {**vars(leaving), **vars(reading), **vars(reaching)}
    try:
        seen = known[params.how](scene)
    except Exception as error:
        print("caught", repr(error))
        seen = None
    if isinstance(seen, Result):
        return seen
    if isinstance(seen, bytes) and (clusters := decoded(seen)) is not None:
        return Result(clusters)
    return Result(np.zeros(data.n_cells, dtype=int))


def decoded(content: bytes) -> np.ndarray | None:
    """Return the classes in the bytes of the truth; None where they are something else."""
    import io

    import pyarrow.parquet as pq

    if content[:4] != b"PAR1":
        return None
    labels = pq.read_table(io.BytesIO(content), use_threads=False)["label"].to_pylist()
    return np.unique(labels, return_inverse=True)[1]
