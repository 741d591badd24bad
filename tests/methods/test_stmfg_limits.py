"""stMFG on many spots and on awkward ones: memory, bad input, losses that are not finite."""

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
from methods.shared.radius_graph import radius_graph
from methods.stmfg.model import Model, prepare
from tests.methods.toys import params, run, tissue

REPOSITORY = Path(__file__).resolve().parents[2]
SMALL = {"epochs": 3, "kmeans_starts": 3}


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


@pytest.mark.parametrize("exact_up_to", [5000, 6000])
@pytest.mark.parametrize("mask", [False, True])
def test_no_tensor_is_spots_by_spots_or_spots_by_genes(exact_up_to, mask):
    """StMFG 6: above 5,000 spots the largest tensor is spots x 256, with all pairs too."""
    data, _ = tissue(72, genes=400)
    chosen = params("stmfg", exact_pairs_up_to=exact_up_to, mask_neighbours=mask)
    model = Model(prepare(data, chosen), chosen, Job(0, 3))
    assert model.contrast.exact == model.spatial_loss.exact == (exact_up_to == 6000)
    with Largest() as largest:
        torch.stack(list(model.step(0).values())).sum().backward()
    assert largest.size <= 72**2 * 256


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
    data = dataset("spatial", n, 60)[0]
    run("stmfg", data, Job(0, 7), epochs=2, kmeans_starts=1)

fit(200)
idle = peak()
fit(int(sys.argv[1]))
print(json.dumps([idle, peak()]))
"""


def test_memory_grows_with_the_spots():
    """StMFG 9.11: peak memory above the idle process at most 4.5 times from 5,000 to 20,000."""
    grown = []
    for n in (5000, 20000):
        command = [sys.executable, "-W", "ignore", "-c", CHILD, str(n)]
        environment = {**os.environ, "OMP_NUM_THREADS": "1"}
        done = subprocess.run(
            command, cwd=REPOSITORY, env=environment, stdout=subprocess.PIPE, text=True, check=True
        )
        idle, peak = json.loads(done.stdout.splitlines()[-1])
        grown.append(peak - idle)
    assert grown[1] < 4.5 * grown[0]


def awkward(kind: str) -> Data:
    data, _ = tissue()
    counts, position = data.counts.toarray(), data.coordinates
    if kind == "fewer spots than neighbours":
        counts, position = counts[:5], position[:5]
    elif kind == "empty spots and genes":
        counts[:5], counts[:, 7:11] = 0, 0
    elif kind == "identical spots":
        counts[:], position = counts[:1], position * 0
    elif kind == "spots on a line":
        position = position * [1.0, 0.0]
    elif kind == "pairs of spots at one place":
        position = np.repeat(position[::2], 2, axis=0)
    elif kind == "isolated spots":
        position = position + np.outer(np.arange(len(position)) < 3, [1e5, 2e5])
        position[:3] *= np.array([[1.0], [2.0], [3.0]])
    elif kind == "two far pieces":
        position = position + np.where(np.arange(len(position)) < 40, 0, 1e6)[:, None]
    elif kind == "one spot":
        counts, position = counts[:1], position[:1]
    genes = np.arange(counts.shape[1]).astype(str)
    return Data(sp.csr_matrix(counts), genes, position, data.pitch)


SWITCHES = [{}, {"fusion": "token"}, {"contrast": "gram"},
            {"mask_neighbours": True, "exact_pairs_up_to": 0, "n_negatives": 4}]  # fmt: skip
KINDS = ["fewer spots than neighbours", "empty spots and genes", "identical spots",
         "spots on a line", "pairs of spots at one place", "isolated spots", "two far pieces",
         "one spot"]  # fmt: skip


@pytest.mark.parametrize("changes", SWITCHES, ids=str)
@pytest.mark.parametrize("kind", KINDS)
def test_awkward_tissues_still_get_a_whole_answer(kind, changes):
    """Bad input: tiny, empty, collinear, duplicate, isolated and disconnected spots."""
    data = awkward(kind)
    result = run("stmfg", data, Job(0, min(2, data.n_cells)), **SMALL, **changes)
    assert result.clusters.shape == (data.n_cells,)
    assert np.isfinite(result.embedding).all()


def test_isolated_spots_and_pieces_keep_to_themselves():
    """Bad input: no edge joins pieces; a spot without neighbours averages over itself."""
    data = awkward("isolated spots")
    inputs = prepare(data, params("stmfg"))
    degree = np.asarray(inputs.near.sum(axis=1)).ravel()
    assert (degree[:3] == 0).all()
    assert (degree[3:] > 0).all()
    near = prepare(awkward("two far pieces"), params("stmfg")).near
    assert near[:40][:, 40:].nnz == 0


def test_pitch_is_measured_where_none_is_given():
    data, _ = tissue()
    plain = run("stmfg", data, Job(0, 3), **SMALL)
    measured = run("stmfg", dataclasses.replace(data, pitch=None), Job(0, 3), **SMALL)
    np.testing.assert_array_equal(plain.clusters, measured.clusters)


def test_fewer_genes_than_variable_ones_are_all_used():
    """Bad input: 60 genes, 3,000 asked for."""
    result = run("stmfg", tissue()[0], Job(0, 3), **SMALL)
    assert result.notes["genes"] == 60


def test_counts_of_zero_are_named():
    data, _ = tissue()
    with pytest.raises(ValueError, match="counts"):
        run("stmfg", dataclasses.replace(data, counts=data.counts * 0), Job(0, 3), **SMALL)


def test_missing_coordinates_and_too_many_clusters_are_named():
    """Bad input: no coordinates; K larger than the number of spots."""
    data, _ = tissue(6)
    with pytest.raises(ValueError, match="coordinates"):
        run("stmfg", Data(data.counts, data.genes), Job(0, 2), **SMALL)
    with pytest.raises(ValueError, match="n_clusters"):
        run("stmfg", data, Job(0, 37), **SMALL)


def test_a_radius_that_joins_everything_is_refused():
    """Bad input: thousands of spots at one place would need an array of all pairs."""
    with pytest.raises(ValueError, match="radius"):
        radius_graph(np.zeros((3000, 2)), 4.0)


def test_a_loss_that_is_not_finite_is_named(monkeypatch):
    """Bad input: the run stops at the epoch, naming the component."""
    original = Model.agreement

    def broken(self, views):
        return original(self, views) * float("nan")

    monkeypatch.setattr(Model, "agreement", broken)
    with pytest.raises(FloatingPointError, match="'contrast' is nan in epoch 1 of 3"):
        run("stmfg", tissue()[0], Job(0, 3), **SMALL)
