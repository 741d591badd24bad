"""Time and memory of preparing and blinding a large dataset, each in a fresh process.

python benchmarks/prepare.py --cells 1000000 --genes 2000 --density 0.05 --json out.json

The h5ad is made block by block, its cells sorted by class; peak memory is the largest resident set
of the process, imports included.
"""

from __future__ import annotations

import argparse
import json
import os
import resource
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import scipy.sparse as sp

REPOSITORY = Path(__file__).resolve().parents[1]
sys.path[:0] = [str(REPOSITORY), str(REPOSITORY / "workflow")]

CLASSES = 10
BLOCK = 10_000
NAME = "large"


def blocks(cells: int, genes: int, density: float, seed: int = 0) -> Iterator[sp.csr_matrix]:
    """Yield small counts at random places, block by block; every cell has at least one."""
    rng = np.random.default_rng(seed)
    for start in range(0, cells, BLOCK):
        rows = min(BLOCK, cells - start)
        per_cell = np.maximum(1, rng.binomial(genes, density, rows))
        # with a random start and step coprime to the genes, no gene comes twice in a cell
        steps = np.array([step for step in range(1, genes + 1) if np.gcd(step, genes) == 1])
        places = np.arange(per_cell.sum()) - np.repeat(per_cell.cumsum() - per_cell, per_cell)
        first = np.repeat(rng.integers(0, genes, rows), per_cell)
        columns = (first + places * np.repeat(rng.choice(steps, rows), per_cell)) % genes
        values = 1 + rng.poisson(1.0, len(columns))
        pointers = np.concatenate([[0], per_cell.cumsum()])
        block = sp.csr_matrix(
            (values.astype(np.float32), columns.astype(np.int32), pointers), shape=(rows, genes)
        )
        block.sort_indices()
        yield block


def make(path: Path, cells: int, genes: int, density: float) -> None:
    """Write the raw file."""
    import anndata
    import pandas as pd

    from blindfold.core.blocks import write_blocks

    obs = pd.DataFrame(
        {"kind": pd.Categorical([f"kind-{i * CLASSES // cells}" for i in range(cells)])},
        index=[f"cell-{i}" for i in range(cells)],
    )
    var = pd.DataFrame(index=[f"gene-{i}" for i in range(genes)])
    write_blocks(path, anndata.AnnData(None, obs=obs, var=var), blocks(cells, genes, density))


def card(path: Path) -> Any:
    """Return the dataset's card."""
    from blindfold.core.datasets import DatasetCard

    return DatasetCard.model_validate({
        "title": "Large", "organism": "none", "tissue": "none", "technology": "none",
        "paper": "none", "licence": "none", "modality": "scrna", "reader": "h5ad", "label": "kind",
        "files": [{"path": path.name, "role": "cells", "local": str(path)}],
    })  # fmt: skip


def step(name: str, folder: Path, cells: int, genes: int, density: float) -> dict[str, Any]:
    """Do one step in this process and return its row."""
    from blindfold.blind.blind import blind
    from blindfold.core import io
    from blindfold.core.layout import Layout
    from blindfold.prepare.prepare import prepare

    at, raw = Layout(folder / "results"), folder / "raw.h5ad"
    start = time.perf_counter()
    if name == "make":
        make(raw, cells, genes, density)
        rows = [{"path": raw.name, "role": "cells", "sha256": io.sha256(raw), "location": str(raw)}]
        io.write_json(at.fetched(NAME), rows)
    elif name == "prepare":
        prepare(NAME, card(raw), at)
    else:
        blind(NAME, card(raw), at, 0)
    written = {"make": raw, "prepare": at.prepared(NAME), "blind": at.input(NAME)}[name]
    return {
        "step": name,
        "cells": cells,
        "genes": genes,
        "density": density,
        "wall_s": time.perf_counter() - start,
        "peak_mb": resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024,
        "file_mb": written.stat().st_size / 2**20,
    }


def in_child(*arguments: Any) -> dict[str, Any]:
    """Do one step in a fresh process."""
    env = {**os.environ, **dict.fromkeys(("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS"), "2")}
    command = [sys.executable, "-W", "ignore", __file__, "--child", json.dumps(arguments)]
    done = subprocess.run(command, env=env, stdout=subprocess.PIPE, text=True, check=True)
    row: dict[str, Any] = json.loads(done.stdout.splitlines()[-1])
    return row


def main() -> None:
    """Measure what the command line asks for, print a table and write JSON."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else None)
    parser.add_argument("--cells", type=int, default=1_000_000)
    parser.add_argument("--genes", type=int, default=2_000)
    parser.add_argument("--density", type=float, default=0.05)
    parser.add_argument("--folder", type=Path, help="where the files go; default: a temporary one")
    parser.add_argument("--json", type=Path, help="write the rows here")
    parser.add_argument("--child", help=argparse.SUPPRESS)
    options = parser.parse_args()
    if options.child:
        name, folder, *shape = json.loads(options.child)
        print(json.dumps(step(name, Path(folder), *shape)))
        return
    print(f"{'step':<9}{'cells':>9}{'genes':>7}{'density':>9}{'wall_s':>9}{'peak_mb':>9}"
          f"{'file_mb':>9}")  # fmt: skip
    rows = []
    with tempfile.TemporaryDirectory(dir=options.folder) as folder:
        for name in ("make", "prepare", "blind"):
            row = in_child(name, folder, options.cells, options.genes, options.density)
            rows.append(row)
            print(f"{name:<9}{row['cells']:>9}{row['genes']:>7}{row['density']:>9.3f}"
                  f"{row['wall_s']:>9.1f}{row['peak_mb']:>9.0f}{row['file_mb']:>9.0f}",
                  flush=True)  # fmt: skip
    if options.json:
        options.json.write_text(json.dumps(rows, indent=2) + "\n")


if __name__ == "__main__":
    main()
