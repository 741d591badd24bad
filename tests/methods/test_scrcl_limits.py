"""scRCL on many cells and on awkward ones: memory, bad input, losses that are not finite."""

from __future__ import annotations

import dataclasses
import json
import os
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
import scipy.sparse as sp
import torch
from torch.utils._python_dispatch import TorchDispatchMode

from methods.contract import Data, Job
from methods.scrcl.model import Model, Views, prepare
from tests.methods.toys import cells, params, run, tissue

REPOSITORY = Path(__file__).resolve().parents[2]
SMALL = {"width": 40, "epochs": 15}


class Largest(TorchDispatchMode):
    """Remembers the largest dense tensor that any operation returned."""

    def __init__(self) -> None:
        super().__init__()
        self.size = 0

    def __torch_dispatch__(self, func, types, args=(), kwargs=None):
        out = func(*args, **(kwargs or {}))
        for tensor in out if isinstance(out, tuple) else (out,):
            if isinstance(tensor, torch.Tensor) and tensor.layout == torch.strided:
                self.size = max(self.size, tensor.numel())
        return out


def test_no_tensor_is_cells_by_cells_or_cells_by_genes():
    """ScRCL 6: above 5,000 cells the largest tensor is cells x width."""
    data, _ = cells(5200, genes=400)
    chosen = params("scrcl", width=24)
    model = Model(prepare(data, chosen), 3, chosen, Job(0, 3))
    with Largest() as largest:
        torch.stack(list(model.step(0).values())).sum().backward()
    assert largest.size <= max(5200 * 24, model.features.matrix.forward.values().numel())


CHILD = """
import json, sys
from pathlib import Path
sys.path.insert(0, ".")
from benchmarks.synthetic import dataset
from methods.contract import Job
from tests.methods.toys import run

def peak():
    lines = Path("/proc/self/status").read_text().splitlines()
    return int(next(line for line in lines if line.startswith("VmHWM:")).split()[1])

def fit(n):
    data = dataset("scrna", n, 200)[0]
    run("scrcl", data, Job(0, 8), epochs=2, kmeans_starts=1, width=300)

fit(200)
idle = peak()
fit(int(sys.argv[1]))
print(json.dumps([idle, peak()]))
"""


def test_memory_doubles_with_the_cells():
    """ScRCL 9.8: peak memory above the idle process at 2,000, 4,000 and 8,000 cells."""
    grown = []
    for n in (2000, 4000, 8000):
        command = [sys.executable, "-W", "ignore", "-c", CHILD, str(n)]
        environment = {**os.environ, "OMP_NUM_THREADS": "1"}
        done = subprocess.run(
            command, cwd=REPOSITORY, env=environment, stdout=subprocess.PIPE, text=True, check=True
        )
        idle, peak = json.loads(done.stdout.splitlines()[-1])
        grown.append(peak - idle)
    assert grown[1] < 2.4 * grown[0]
    assert grown[2] < 2.4 * grown[1]


def awkward(kind: str) -> Data:
    data, _ = tissue()
    counts, position = data.counts.toarray(), data.coordinates
    if kind == "fewer spots than neighbours":
        counts, position = counts[:5], position[:5]
    elif kind == "empty spots and genes":
        counts[:5], counts[:, 7:11] = 0, 0
    elif kind == "identical spots":
        counts[:], position = counts[:1], position * 0
    elif kind == "two far pieces":
        position = position + np.where(np.arange(len(position)) < 40, 0, 1e6)[:, None]
    elif kind == "one spot":
        counts, position = counts[:1], position[:1]
    genes = np.arange(counts.shape[1]).astype(str)
    return Data(sp.csr_matrix(counts), genes, position, data.pitch)


KINDS = ["fewer spots than neighbours", "empty spots and genes", "identical spots",
         "two far pieces", "one spot"]  # fmt: skip


@pytest.mark.parametrize("variant", ["described", "released"])
@pytest.mark.parametrize("kind", KINDS)
def test_awkward_tissues_still_get_a_whole_answer(kind, variant):
    """Bad input: tiny, empty, duplicate and disconnected tissues."""
    data = awkward(kind)
    n_clusters = min(2, data.n_cells)
    result = run("scrcl", data, Job(0, n_clusters), variant, width=30, epochs=3)
    assert result.clusters.shape == (data.n_cells,)
    assert np.isfinite(result.embedding).all()


def test_a_batch_of_one_cell_changes_nothing():
    """Bad input: scRCL does not use batches."""
    data, _ = cells()
    batch = np.zeros(90, dtype=int)
    batch[0] = 1
    first = run("scrcl", data, Job(0, 3), **SMALL).clusters
    second = run("scrcl", dataclasses.replace(data, batch=batch), Job(0, 3), **SMALL).clusters
    np.testing.assert_array_equal(first, second)


def test_a_loss_that_is_not_finite_is_named(monkeypatch):
    """Bad input: the run stops at the epoch, naming the component."""
    original = Model.views

    def broken(self, mask=None):
        views = original(self, mask)
        return Views(views.mlp, views.gcn * float("nan"))

    monkeypatch.setattr(Model, "views", broken)
    with pytest.raises(FloatingPointError, match="epoch 1 of 15") as error:
        run("scrcl", cells()[0], Job(0, 3), **SMALL)
    assert any(f"'{name}'" in str(error.value) for name in ("distribution", "consistency"))
