"""One method on synthetic data in a process of its own: seconds by phase, and memory."""

from __future__ import annotations

import dataclasses
import json
import os
import resource
import subprocess
import sys
import time
from collections.abc import Sequence
from concurrent.futures import ProcessPoolExecutor
from itertools import pairwise
from multiprocessing import get_context
from pathlib import Path
from statistics import median
from typing import Any

REPOSITORY = Path(__file__).resolve().parents[1]
sys.path[:0] = [str(REPOSITORY), str(REPOSITORY / "workflow")]

GENES = {"scrna": 2000, "spatial": 3000}
LENGTHS = ("epochs", "cluster_epochs", "graph_epochs", "fusion_epochs")
# the loss component that tells a phase; the first that is there counts
PHASES = {
    "clustering": "clustering",
    "similarity": "fusion",
    "zinb": "pretraining",
    "reconstruction": "pretraining",
    "feature": "feature",
    "cluster": "cluster",
    "imputation": "imputation",
    "graph": "graph",
}


def in_child(
    name: str,
    cells: int,
    epochs: int | None = None,
    threads: int = 2,
    modality: str | None = None,
    device: str = "cpu",
    given: dict[str, Any] | None = None,
    image: bool = False,
    without: str | None = None,
) -> dict[str, Any]:
    """Measure in a fresh process with a fixed number of threads; see `measure`."""
    from blindfold.run.child import KEEP_FREED

    limited = dict.fromkeys(("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS"), str(threads))
    env = {**os.environ, **limited, **KEEP_FREED}
    asked = json.dumps(
        [name, cells, epochs, threads, modality, device, given or {}, image, without]
    )
    command = [sys.executable, "-W", "ignore", __file__, asked]
    done = subprocess.run(command, env=env, stdout=subprocess.PIPE, text=True, check=True)
    row: dict[str, Any] = json.loads(done.stdout.splitlines()[-1])
    return row


def measure(
    name: str,
    cells: int,
    epochs: int | None,
    threads: int,
    modality: str | None,
    device: str,
    given: dict[str, Any],
    image: bool,
    without: str | None = None,
) -> dict[str, Any]:
    """Run one method in this process and return its row.

    Parameters
    ----------
    name
        ``sctag`` or ``sctag@released``.
    cells
        Cells or spots of the synthetic data.
    epochs
        Epochs of each phase, and two rounds at most of methods that go in rounds; None: the card's.
    threads
        Threads of every library.
    modality
        ``scrna`` or ``spatial``, of methods that run on both.
    device
        ``cpu`` or ``cuda``.
    given
        Parameters of the method that are not the card's.
    image
        Whether the tissue has a drawn section.
    without
        A trick that its plain formula stands for, see `benchmarks.plain`.

    Returns
    -------
    dict
        ``seconds_per_epoch``, by phase ``phases`` and in processor seconds ``cpu_phases``: medians
        without preprocessing and final clustering; ``setup_s``: from the start of the process to
        the first epoch, imports included, making the data not; ``wall_s``: inside ``fit``;
        ``peak_mb``: largest resident set of the process, MiB.
    """
    from benchmarks.synthetic import dataset
    from blindfold.core.methods import fill_params, method_card, method_folder, split_variant
    from methods.contract import Job, Params
    from methods.runner import load_entry

    method, variant = split_variant(name)
    folder = method_folder(method, ["methods"])
    card = method_card(folder)
    shortened: dict[str, Any] = {key: epochs for key in LENGTHS if key in card.parameters}
    if "iterations" in card.parameters:
        shortened["iterations"] = 2
    params = fill_params(card, variant, given | (shortened if epochs else {}), folder)
    fit = load_entry(folder, card.entry)
    if without is not None:
        from benchmarks.plain import put_in_place

        put_in_place(without)
    ready_s = time.time() - started()
    modality = modality or ("spatial" if "coordinates" in card.needs else "scrna")
    # in a process of its own: to draw a section takes more memory than most methods
    with ProcessPoolExecutor(1, get_context("spawn")) as maker:
        made = maker.submit(dataset, modality, cells, GENES[modality], image=image)
        data, n_clusters = made.result()
    if "coordinates" not in [*card.needs, *card.uses]:
        data = dataclasses.replace(data, coordinates=None, pitch=None)
    ticks: list[tuple[float, float]] = []
    job = Job(
        seed=0,
        n_clusters=n_clusters,
        device=device,
        threads=threads,
        impute="imputation" in card.tasks,
        progress=lambda *_: ticks.append((time.perf_counter(), time.process_time())),
    )
    begin = time.perf_counter()
    result = fit(data, Params(**params), job)
    if job.impute:  # made block by block, as it is written
        for _ in result.imputed:
            pass
    wall_s = time.perf_counter() - begin
    wall, cpu = ([tick[clock] for tick in ticks] for clock in (0, 1))
    steps = [after - before for before, after in pairwise(wall)]
    phases = by_phase(wall, result.trace)
    first_s = wall[0] - begin - next(iter(phases.values()), 0.0) if ticks else None
    return {
        "method": method,
        "variant": variant,
        "cells": cells,
        "genes": min(params.get("n_genes") or GENES[modality], GENES[modality]),
        "seconds_per_epoch": median(steps) if steps else None,
        "phases": phases,
        "cpu_phases": by_phase(cpu, result.trace),
        "setup_s": None if first_s is None else ready_s + first_s,
        "wall_s": wall_s,
        "peak_mb": peak_mb(),
        "peak_gpu_mb": peak_gpu_mb(device),
        "threads": threads,
        "device": device,
    }


def by_phase(ticks: Sequence[float], trace: Sequence[dict[str, float]]) -> dict[str, float]:
    """Return the median seconds of an epoch of each phase, in order of appearance.

    The loss components of an epoch tell its phase. An epoch that begins a phase also holds what
    lies between the phases, so it is left out.
    """
    found: dict[str, list[float]] = {}
    known = len(trace) == len(ticks)
    names = [phase_of(row) for row in trace] if known else []
    if len(set(names)) < 2:  # one phase needs no name of its own
        names = ["training"] * len(ticks)
    for (before, after), (last, name) in zip(pairwise(ticks), pairwise(names), strict=True):
        if last == name:
            found.setdefault(name, []).append(after - before)
    return {name: median(steps) for name, steps in found.items()}


def phase_of(losses: dict[str, float]) -> str:
    """Return the phase that an epoch with these loss components belongs to."""
    return next((phase for part, phase in PHASES.items() if part in losses), "training")


def started() -> float:
    """Return when this process started, seconds since 1970."""
    import psutil

    return float(psutil.Process().create_time())


def peak_mb() -> float:
    """Return the largest resident set so far, MiB; on Linux without that of the parent."""
    status = Path("/proc/self/status")
    for line in status.read_text().splitlines() if status.exists() else ():
        if line.startswith("VmHWM:"):
            return int(line.split()[1]) / 1024
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024


def peak_gpu_mb(device: str) -> float | None:
    """Return the largest memory reserved on the device, MiB."""
    if device == "cpu":
        return None
    import torch

    return float(torch.cuda.max_memory_reserved()) / 2**20


if __name__ == "__main__":
    print(json.dumps(measure(*json.loads(sys.argv[1]))))
