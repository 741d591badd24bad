"""Watches what methods allocate: the largest tensor, and the peak of a fresh process."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

import torch
from torch.utils._python_dispatch import TorchDispatchMode

REPOSITORY = Path(__file__).resolve().parents[2]


class Largest(TorchDispatchMode):
    """Remembers the largest dense tensor that any operation returned."""

    def __init__(self) -> None:
        super().__init__()
        self.size = 0

    def __torch_dispatch__(self, func, types, args=(), kwargs=None):
        out = func(*args, **(kwargs or {}))
        for tensor in out if isinstance(out, tuple | list) else (out,):
            if isinstance(tensor, torch.Tensor) and tensor.layout == torch.strided:
                self.size = max(self.size, tensor.numel())
        return out


FREED = {"MALLOC_MMAP_THRESHOLD_": "1000000"}  # large arrays go when they are freed
CHILD = """
import json, sys
import sklearn.cluster, sklearn.neighbors  # some methods load them for many cells only
sys.path.insert(0, ".")
from benchmarks.measure import peak_mb
from benchmarks.synthetic import dataset
from methods.contract import Job
from tests.methods.toys import run

name, modality, n, genes, settings = json.loads(sys.argv[1])

def fit(n):
    data, n_clusters = dataset(modality, n, genes)
    run(name, data, Job(0, n_clusters), **settings)

fit(200)
idle = peak_mb()
fit(n)
print(peak_mb() - idle)
"""


def peaks(
    name: str, modality: str, sizes: list[int], genes: int, **settings: object
) -> list[float]:
    """Return the peak memory above that of a run on 200 cells, in MiB, for each number of cells."""
    found = []
    for n in sizes:
        job = json.dumps([name, modality, n, genes, settings])
        done = subprocess.run(
            [sys.executable, "-W", "ignore", "-c", CHILD, job], cwd=REPOSITORY, text=True,
            env={**os.environ, "OMP_NUM_THREADS": "1", **FREED}, stdout=subprocess.PIPE, check=True,
        )  # fmt: skip
        found.append(float(done.stdout.splitlines()[-1]))
    return found
