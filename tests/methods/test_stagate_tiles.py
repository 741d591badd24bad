"""STAGATE by tiles with a halo, and by batches of a grid."""

from __future__ import annotations

import numpy as np
import pytest
import torch

from methods.contract import Job
from methods.stagate.inputs import log_expression, spot_graph
from methods.stagate.model import Model, build
from methods.stagate.parts import Tissue
from methods.stagate.section_graphs import section_graph
from methods.stagate.tiles import spatial_tiles, with_halo
from tests.methods.test_stagate_inputs import SMALL, reach
from tests.methods.toys import params, run, tissue


def model_of(**changes) -> Model:
    return build(tissue(16)[0], params("stagate", **{**SMALL, **changes}), Job(0, 3))[0]


@pytest.mark.parametrize("tie", ["shared", "pyg"])
@pytest.mark.parametrize("loss", ["norm", "mse"])
def test_tiles_with_a_halo_give_the_full_gradient(tie, loss):
    """Two hops around each tile, to 1e-5 of the largest entry; the same embedding."""
    whole, tiled = (model_of(tie=tie, loss=loss, minibatch_above=m) for m in (1000, 50))
    assert len(tiled.whole) == 8
    losses = []
    for model in (whole, tiled):
        losses.append(torch.stack(list(model.step(0).values())).sum())
        losses[-1].backward()
    torch.testing.assert_close(*losses, rtol=1e-5, atol=0)
    pairs = zip(whole.network.parameters(), tiled.network.parameters(), strict=True)
    for one, other in pairs:
        scale = one.grad.abs().max().item()
        torch.testing.assert_close(one.grad, other.grad, rtol=0, atol=1e-5 * scale)
    np.testing.assert_allclose(whole.embedding(), tiled.embedding(), atol=1e-5)


def test_tiles_cover_every_spot_once():
    """Interiors are a partition; a halo is what two layers reach."""
    data, _ = tissue(15)
    tiles = spatial_tiles(data.coordinates, 40)
    np.testing.assert_array_equal(np.sort(np.concatenate(tiles)), np.arange(225))
    assert max(map(len, tiles)) <= 40
    assert len(spatial_tiles(data.coordinates * 0, 40)) == 8
    graph = section_graph(data.coordinates, 110, 100)
    around = with_halo(graph, tiles[0], 2)
    np.testing.assert_array_equal(around[: len(tiles[0])], tiles[0])
    reach = graph[tiles[0]] + (graph[tiles[0]] @ graph)
    expected = np.union1d(tiles[0], reach.nonzero()[1])
    np.testing.assert_array_equal(np.sort(around), expected)


def test_one_batch_is_the_full_batch():
    """A grid of one is full-batch training, step for step."""
    data, _ = tissue(12)
    plain = Tissue(log_expression(data.counts, 3000), spot_graph(data, reach())[0],
                   data.coordinates)  # fmt: skip
    np.testing.assert_array_equal(plain.grid(1, 1)[0], np.arange(144))
    chosen = params("stagate", **SMALL)
    full = Model(plain, chosen, Job(0, 3))
    batch = Model(plain, chosen, Job(0, 3))
    batch.batches = [plain.tiles(spots, 50000) for spots in plain.grid(1, 1)]
    for model in (full, batch):
        model.step(0)["reconstruction"].backward()
    assert torch.equal(full.network.first.grad, batch.network.first.grad)


def test_batches_of_a_grid_share_their_border(monkeypatch):
    """Cut at quantiles, each a step; edges between them are lost."""
    model = model_of(grid_columns=3, grid_rows=2)
    assert len(model.batches) == 6
    spots = np.concatenate([tile[0] for batch in model.batches for tile in batch])
    np.testing.assert_array_equal(np.unique(spots), np.arange(256))
    edges = sum(len(batch[0][1].graph.columns) for batch in model.batches)
    assert edges < len(model.whole[0][1].graph.columns) + 6 * 64
    taken = []
    monkeypatch.setattr(model, "loss", lambda batch: taken.append(id(batch)))
    for done in range(12):
        model.step(done)
    every = {id(batch) for batch in model.batches}
    assert set(taken[:6]) == set(taken[6:]) == every
    result = run("stagate", tissue(16)[0], Job(0, 3), grid_columns=3, grid_rows=2, **SMALL)
    assert len(result.trace) == 6 * SMALL["epochs"]
    assert result.notes["batches"] == 6
