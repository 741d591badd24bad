"""Watches what methods allocate: the largest arrays, and the peak of a fresh process."""

from __future__ import annotations

import ctypes
import gc
import json
import os
import subprocess
import sys
from pathlib import Path
from typing import TypedDict

import numpy as np
import scipy.sparse as sp
import torch
from torch.utils._python_dispatch import TorchDispatchMode

from benchmarks.synthetic import dataset
from methods.contract import Data, Job
from tests.methods.toys import run

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


class Dense:
    """Remembers the largest dense array made of a sparse matrix."""

    def __init__(self) -> None:
        self.size = 0
        for kind in (sp.csr_matrix, sp.csc_matrix, sp.coo_matrix, sp.csr_array, sp.csc_array):
            for name in ("toarray", "todense"):
                setattr(kind, name, self.watched(getattr(kind, name)))

    def watched(self, original):
        def made(*args, **kwargs):
            array = original(*args, **kwargs)
            self.size = max(self.size, array.size)
            return array

        return made


class Watched(TypedDict):
    """What one run took: MiB above the idle process, elements of the largest arrays."""

    grown_mb: float
    tensor: int
    dense: int


def watched(
    name: str,
    modality: str,
    variants: list[str],
    cells: list[int],
    genes: int,
    times: int = 1,
    **settings,
) -> list[Watched]:
    """Run variants of a method in a fresh process that ran the first on 200 cells before.

    The first variant runs on every number of cells, which rise; the others on the fewest, where
    the arrays are those of all. With `times` the same counts lie among that many times the genes.
    """
    job = json.dumps([name, modality, variants, cells, genes, times, settings])
    done = subprocess.run(
        [sys.executable, "-W", "ignore", "-m", "tests.methods.watch", job],
        cwd=REPOSITORY, text=True, check=True, stdout=subprocess.PIPE,
        # large arrays go back when they are freed
        env={**os.environ, "OMP_NUM_THREADS": "1", "MALLOC_MMAP_THRESHOLD_": "1000000"},
    )  # fmt: skip
    found: list[Watched] = json.loads(done.stdout.splitlines()[-1])
    print(name, modality, variants, cells, genes, times, found)
    return found


def wide(data: Data, times: int) -> Data:
    """Spread the same entries over more genes."""
    entries = data.counts.tocoo()
    columns = entries.col * times + entries.row % times
    shape = (entries.shape[0], entries.shape[1] * times)
    counts = sp.csr_matrix((entries.data, (entries.row, columns)), shape)
    return Data(counts, np.array([f"g{i}" for i in range(shape[1])]), data.coordinates, data.pitch)


def memory(field: str) -> float:
    """Read a field of the process's own status, in MiB."""
    lines = Path("/proc/self/status").read_text().splitlines()
    return int(next(line for line in lines if line.startswith(field)).split()[1]) / 1024


def main(
    name: str,
    modality: str,
    variants: list[str],
    cells: list[int],
    genes: int,
    times: int,
    settings: dict,
) -> list[Watched]:
    """Run on 200 cells, then on more and more."""
    largest, dense = Largest(), Dense()

    def fit(n: int, variant: str) -> None:
        data, n_clusters = dataset(modality, n, genes)
        job = Job(0, n_clusters, impute=True)
        for block in run(name, wide(data, times), job, variant, **settings).imputed or ():
            dense.size = max(dense.size, block.size)

    def fresh() -> None:
        gc.collect()
        ctypes.CDLL(None).malloc_trim(0)  # what is free would hide a part of the small run alone
        largest.size = dense.size = 0

    import sklearn.cluster  # some methods load them for many cells only
    import sklearn.neighbors  # noqa: F401

    fit(200, variants[0])  # loads the other libraries and their work space
    fresh()
    idle, found = memory("VmRSS:"), []
    with largest:
        for n in cells:
            fresh()
            fit(n, variants[0])
            grown = memory("VmHWM:") - idle
            found.append({"grown_mb": grown, "tensor": largest.size, "dense": dense.size})
        fresh()
        for variant in variants[1:]:
            fit(cells[0], variant)
    found[0]["tensor"] = max(found[0]["tensor"], largest.size)
    found[0]["dense"] = max(found[0]["dense"], dense.size)
    return found


if __name__ == "__main__":
    print(json.dumps(main(*json.loads(sys.argv[1]))))
