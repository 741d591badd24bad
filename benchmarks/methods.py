"""Time and memory of methods on synthetic data, each in a fresh process.

python benchmarks/methods.py --methods sctag graphst --cells 2100 20000 --epochs 10 --json out.json

Seconds per epoch are the median over epochs, without preprocessing and final clustering; peak
memory is the largest resident set of the process, imports and data included.
"""

from __future__ import annotations

import argparse
import dataclasses
import json
import os
import resource
import subprocess
import sys
import time
from itertools import pairwise
from pathlib import Path
from typing import Any

REPOSITORY = Path(__file__).resolve().parents[1]
sys.path[:0] = [str(REPOSITORY), str(REPOSITORY / "workflow")]

GENES = {"scrna": 2000, "spatial": 3000}
COLUMNS = ("method", "variant", "cells", "genes", "seconds_per_epoch", "wall_s", "peak_mb")


def measure(
    name: str, cells: int, epochs: int | None, threads: int, modality: str | None
) -> dict[str, Any]:
    """Run one method in this process and return its row."""
    from benchmarks.synthetic import dataset
    from blindfold.core.methods import fill_params, method_card, method_folder, split_variant
    from methods.contract import Job, Params
    from methods.runner import load_entry

    method, variant = split_variant(name)
    folder = method_folder(method, ["methods"])
    card = method_card(folder)
    lengths = ("epochs", "cluster_epochs", "graph_epochs")
    shortened = [key for key in lengths if key in card.parameters and epochs]
    params = fill_params(card, variant, dict.fromkeys(shortened, epochs), folder)
    modality = modality or ("spatial" if "coordinates" in card.needs else "scrna")
    data, n_clusters = dataset(modality, cells, GENES[modality])
    if "coordinates" not in [*card.needs, *card.uses]:
        data = dataclasses.replace(data, coordinates=None, pitch=None)
    ticks: list[float] = []
    job = Job(
        seed=0,
        n_clusters=n_clusters,
        threads=threads,
        impute="imputation" in card.tasks,
        progress=lambda done, total, loss: ticks.append(time.perf_counter()),
    )
    fit = load_entry(folder, card.entry)
    start = time.perf_counter()
    result = fit(data, Params(**params), job)
    if job.impute:  # made block by block, as it is written
        for _ in result.imputed:
            pass
    wall_s = time.perf_counter() - start
    steps = sorted(after - before for before, after in pairwise(ticks))
    return {
        "method": method,
        "variant": variant,
        "cells": cells,
        "genes": min(params.get("n_genes") or GENES[modality], GENES[modality]),
        "seconds_per_epoch": steps[len(steps) // 2] if steps else None,
        "wall_s": wall_s,
        "peak_mb": resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024,
    }


def in_child(
    name: str, cells: int, epochs: int | None, threads: int, modality: str | None
) -> dict[str, Any]:
    """Measure in a fresh process with a fixed number of threads."""
    env = {**os.environ, **dict.fromkeys(("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS"), str(threads))}
    command = [
        sys.executable,
        "-W",
        "ignore",
        __file__,
        "--child",
        json.dumps([name, cells, epochs, threads, modality]),
    ]
    done = subprocess.run(command, env=env, stdout=subprocess.PIPE, text=True, check=True)
    row: dict[str, Any] = json.loads(done.stdout.splitlines()[-1])
    return row


def line(row: dict[str, Any]) -> str:
    """Format a row of the table."""
    epoch = row["seconds_per_epoch"]
    return (
        f"{row['method']:<22}{row['variant']:<11}{row['cells']:>8}{row['genes']:>7}"
        f"{'-' if epoch is None else f'{epoch:.4f}':>19}{row['wall_s']:>9.1f}{row['peak_mb']:>9.0f}"
    )


def main() -> None:
    """Measure what the command line asks for, print a table and write JSON."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else None)
    parser.add_argument("--methods", nargs="+", default=[], help="names, or name@variant")
    parser.add_argument("--cells", nargs="+", type=int, default=[])
    parser.add_argument("--epochs", type=int, help="shorten each phase of training")
    parser.add_argument("--threads", type=int, default=2)
    parser.add_argument("--modality", choices=list(GENES), help="of methods that run on both")
    parser.add_argument("--json", type=Path, help="write the rows here")
    parser.add_argument("--child", help=argparse.SUPPRESS)
    options = parser.parse_args()
    if options.child:
        print(json.dumps(measure(*json.loads(options.child))))
        return
    print(f"{'method':<22}{'variant':<11}{'cells':>8}{'genes':>7}{'seconds_per_epoch':>19}"
          f"{'wall_s':>9}{'peak_mb':>9}")  # fmt: skip
    rows = []
    for name in options.methods:
        for cells in options.cells:
            rows.append(in_child(name, cells, options.epochs, options.threads, options.modality))
            print(line(rows[-1]), flush=True)
    if options.json:
        options.json.write_text(json.dumps(rows, indent=2) + "\n")


if __name__ == "__main__":
    main()
