"""Peak memory and largest arrays of trained and imputing methods above 5,000 cells."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

from tests.methods.toys import card

REPOSITORY = Path(__file__).resolve().parents[2]
TRAINED = [(name, v) for name in ("sctag", "scrcl", "scgnn") for v in card(name)["variants"]]
IMPUTING = [(name, "described") for name in ("gene_mean", "neighbour_mean", "diffusion")]
GENES = 1000
FEW = 5001  # the least that must do without dense arrays
ALLOCATION = {"MALLOC_MMAP_THRESHOLD_": "1000000"}  # large arrays go when they are freed
SETTINGS = {
    "epochs": 1, "cluster_epochs": 1, "graph_epochs": 1, "iterations": 1, "n_genes": GENES,
    "width": 300, "kmeans_starts": 1,
}  # fmt: skip

CHILD = """
import ctypes, gc, json, sys
from pathlib import Path

import scipy.sparse as sp
import sklearn.cluster, sklearn.neighbors  # some methods load them for many cells only
import torch
from torch.utils._python_dispatch import TorchDispatchMode

sys.path.insert(0, ".")
from benchmarks.synthetic import dataset
from methods.contract import Data, Job
from tests.methods.toys import run

class Largest(TorchDispatchMode):
    size = 0

    def see(self, tensor):
        if isinstance(tensor, torch.Tensor) and tensor.layout == torch.strided:
            self.size = max(self.size, tensor.numel())

    def __torch_dispatch__(self, func, types, args=(), kwargs=None):
        out = func(*args, **(kwargs or {}))
        for tensor in out if isinstance(out, (tuple, list)) else (out,):
            self.see(tensor)
        return out

class Dense:
    size = 0

    def watch(self, kind, name):
        original = getattr(kind, name)

        def made(*args, **kwargs):
            array = original(*args, **kwargs)
            self.size = max(self.size, array.size)
            return array

        setattr(kind, name, made)

def memory(field):
    lines = Path("/proc/self/status").read_text().splitlines()
    return int(next(line for line in lines if line.startswith(field)).split()[1]) / 1024

def wide(data, times):
    # the same entries among more genes
    entries = data.counts.tocoo()
    columns = entries.col * times + entries.row % times
    shape = (entries.shape[0], entries.shape[1] * times)
    counts = sp.csr_matrix((entries.data, (entries.row, columns)), shape)
    return Data(counts, [f"g{i}" for i in range(shape[1])])

name, variant, cells, genes, times, settings = json.loads(sys.argv[1])
largest, dense = Largest(), Dense()
for kind in (sp.csr_matrix, sp.csc_matrix, sp.coo_matrix, sp.csr_array, sp.csc_array):
    for made in ("toarray", "todense"):
        dense.watch(kind, made)

def fit(n):
    data, job = wide(dataset("scrna", n, genes)[0], times), Job(0, 8, impute=True)
    for block in run(name, data, job, variant, **settings).imputed or ():
        dense.size = max(dense.size, block.size)

fit(200)  # loads the other libraries and their work space
gc.collect()
ctypes.CDLL(None).malloc_trim(0)  # what is free would hide a part of the small run alone
idle = memory("VmRSS:")
largest.size = dense.size = 0
with largest:
    fit(cells)
grown = memory("VmHWM:") - idle
print(json.dumps({"grown_mb": grown, "tensor": largest.size, "dense": dense.size}))
"""


def measured(name: str, variant: str, cells: int, times: int = 1, **changes: object) -> dict:
    """Run in a fresh process; memory counts above the process idle after 200 cells, in MiB."""
    job = json.dumps([name, variant, cells, GENES, times, {**SETTINGS, **changes}])
    done = subprocess.run(
        [sys.executable, "-W", "ignore", "-c", CHILD, job], cwd=REPOSITORY, text=True, check=True,
        env={**os.environ, **ALLOCATION, "OMP_NUM_THREADS": "1"}, stdout=subprocess.PIPE,
    )  # fmt: skip
    found: dict = json.loads(done.stdout.splitlines()[-1])
    print(name, variant, cells, times, found)
    return found


@pytest.mark.slow
@pytest.mark.parametrize(("name", "variant"), TRAINED + IMPUTING)
def test_memory_grows_with_the_cells_and_no_array_is_dense(name, variant):
    """From 5,000 to 20,000 cells at most 4.5 times; no cells x cells, no cells x genes."""
    few, many = (measured(name, variant, cells) for cells in (FEW, 4 * FEW))
    assert many["grown_mb"] < 4.5 * few["grown_mb"]
    for cells, found in ((FEW, few), (4 * FEW, many)):
        assert max(found["tensor"], found["dense"]) < cells * GENES


@pytest.mark.slow
@pytest.mark.parametrize(("name", "variant"), TRAINED + IMPUTING)
def test_memory_does_not_grow_with_genes_that_are_not_chosen(name, variant):
    """The same counts among 20,000 genes: less than one dense float32 array above the idle run."""
    found = measured(name, variant, FEW, 20)
    assert found["grown_mb"] < FEW * GENES * 20 * 4 / 2**20
