"""STAGATE on tissues: graphs, tiles and batches, memory, bad input."""

from __future__ import annotations

import dataclasses

import numpy as np
import pytest
import scipy.sparse as sp
import torch

from methods.contract import Data, Job
from methods.shared.losses.with_gradient import accumulated_loss
from methods.stagate.inputs import Reach, log_expression, spot_graph
from methods.stagate.model import Model, build
from methods.stagate.parts import Tissue
from methods.stagate.section_graphs import between_sections, radius_of_mean_degree, section_graph
from methods.stagate.tiles import spatial_tiles, with_halo
from tests.methods.test_scrcl_limits import Largest
from tests.methods.toys import params, run, tissue

SMALL = {"width": 24, "latent": 5, "epochs": 4}


def reach(**changes) -> Reach:
    chosen = params("stagate", **changes)
    return Reach(*(getattr(chosen, field) for field in Reach._fields))


def test_radius_graph_of_a_lattice():
    """STAGATE 7: symmetric, no self and no zero-distance edges, mean degree 5 to 6."""
    data, _ = tissue(20)
    graph = section_graph(data.coordinates, 1.1 * data.pitch, data.pitch)
    assert (graph != graph.T).nnz == 0
    assert graph.diagonal().sum() == 0
    assert 5 < graph.nnz / data.n_cells < 6
    assert graph.sum(axis=1).max() == 6
    doubled = np.concatenate([data.coordinates, data.coordinates[:7]])
    again = section_graph(doubled, 1.1 * data.pitch, data.pitch)
    assert again[np.arange(400, 407), np.arange(7)].sum() == 0
    np.testing.assert_array_equal(again[400:407].toarray(), again[:7].toarray())


def test_radius_graph_is_that_of_all_distances():
    """STAGATE 7: also rotated, scaled and moved, with the radius on a tie."""
    points = np.stack(np.meshgrid(np.arange(7.0), np.arange(6.0)), -1).reshape(-1, 2)
    distance = np.linalg.norm(points[:, None] - points, axis=2)
    expected = (distance > 0) & (distance < 2.1)
    turn = np.array([[np.cos(0.3), -np.sin(0.3)], [np.sin(0.3), np.cos(0.3)]])
    for moved, scale in ((points, 1.0), (points @ turn * 37 + 1e4, 37.0)):
        found = section_graph(moved, 2 * scale, scale)
        np.testing.assert_array_equal(found.toarray(), expected)


def test_sections_are_joined_to_the_next_alone():
    """STAGATE 7: none between non-consecutive sections; by default none between any."""
    data, _ = tissue(6)
    sections = np.repeat([2, 0, 5], 36)
    jitter = np.random.default_rng(0).normal(0, 3, (108, 2))
    stack = np.tile(data.coordinates, (3, 1)) + jitter
    within = section_graph(stack, 110, 100, sections)
    rows, columns = within.nonzero()
    assert (sections[rows] == sections[columns]).all()
    rows, columns = between_sections(stack, 110, 100, sections).nonzero()
    pairs = set(zip(sections[rows].tolist(), sections[columns].tolist(), strict=True))
    assert pairs == {(0, 2), (2, 0), (2, 5), (5, 2)}
    joint = Data(sp.vstack([data.counts] * 3).tocsr(), data.genes, stack, 100.0, batch=sections)
    apart, _ = spot_graph(joint, reach())
    assert (apart != within).nnz == 0
    together, _ = spot_graph(joint, reach(section_radius=1.1))
    assert together.nnz == within.nnz + len(rows)
    listed, _ = spot_graph(joint, reach(graph="knn"))
    rows, columns = listed.nonzero()
    assert (sections[rows] == sections[columns]).all()
    assert run("stagate", joint, Job(0, 3), section_radius=1.1, **SMALL).clusters.shape == (108,)


def test_nearest_spots_receive_from_those_that_list_them():
    """STAGATE 1: the graph of nearest spots is not symmetric; messages flow to listed ones."""
    line = np.column_stack([[0.0, 1.0, 2.5, 9.0], np.zeros(4)])
    data = dataclasses.replace(tissue(2)[0], coordinates=line, pitch=1.0)
    graph, _ = spot_graph(data, reach(graph="knn", n_neighbors=1))
    np.testing.assert_array_equal(np.argwhere(graph.toarray()), [[0, 1], [1, 0], [1, 2], [2, 3]])


def test_radius_grows_on_irregular_positions():
    """STAGATE 5: as the authors' radii, to a few neighbours on average."""
    points = np.random.default_rng(0).random((400, 2)) * 100
    data = dataclasses.replace(tissue(20)[0], coordinates=points, pitch=None)
    _, facts = spot_graph(data, reach())
    assert facts["mean_degree"] == pytest.approx(6, abs=0.1)
    _, facts = spot_graph(data, reach(mean_degree=0.0))
    assert facts["mean_degree"] < 2
    assert radius_of_mean_degree(points * 0, 6) == 0
    assert radius_of_mean_degree(points[:1], 6) == 0


def test_features_are_logs_that_are_not_centred():
    """STAGATE 1: 10,000 a spot, log1p, no scaling."""
    data, _ = tissue(5)
    counts = data.counts.toarray()
    expected = np.log1p(1e4 * counts / counts.sum(axis=1, keepdims=True))
    np.testing.assert_allclose(log_expression(data.counts, 3000).toarray(), expected, rtol=1e-5)


def model_of(**changes) -> Model:
    return build(tissue(16)[0], params("stagate", **{**SMALL, **changes}), Job(0, 3))[0]


@pytest.mark.parametrize("tie", ["shared", "pyg"])
@pytest.mark.parametrize("loss", ["norm", "mse"])
def test_tiles_with_a_halo_give_the_full_gradient(tie, loss):
    """STAGATE 6: two hops around each tile, to 1e-5 of the largest entry; same embedding."""
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
    """STAGATE 6: interiors are a partition; a halo is what two layers reach."""
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


def test_accumulated_gradients_are_those_of_the_sum():
    """STAGATE 6: through a root, and with a parameter that no part uses."""
    a, b = torch.randn(4, requires_grad=True), torch.randn(2, requires_grad=True)
    parts = [lambda i=i: (a * i).square().sum() for i in range(1, 4)]
    accumulated_loss(parts, [a, b]).sqrt().backward()
    expected = torch.autograd.grad((14 * a.square().sum()).sqrt(), a)[0]
    torch.testing.assert_close(a.grad, expected)
    assert not b.grad.any()


def test_one_batch_is_the_full_batch():
    """STAGATE 11: a grid of one is full-batch training, step for step."""
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
    """STAGATE 6 and 11: cut at quantiles, each a step, edges between them lost."""
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


def test_no_tensor_is_spots_by_spots_or_spots_by_genes():
    """STAGATE, linear memory: above 5,000 spots the largest tensor is spots x width."""
    data, _ = tissue(73, genes=400)
    model, _ = build(data, params("stagate", width=24), Job(0, 3))
    with Largest() as largest:
        torch.stack(list(model.step(0).values())).sum().backward()
    entries = model.whole[0][1].features.matrix.forward.values().numel()
    assert largest.size <= max(73 * 73 * 24, entries)


def awkward(kind: str) -> Data:
    data, _ = tissue(8)
    counts, position = data.counts.toarray(), data.coordinates.copy()
    if kind == "duplicate positions":
        position[:30] = position[0]
    elif kind == "one position":
        position[:] = position[0]
    elif kind == "collinear":
        position[:, 1] = 0
    elif kind == "diagonal":
        position[:, 1] = position[:, 0] = np.arange(64) * 70.0
    elif kind == "isolated spots":
        position[:5] += 1e5 * np.arange(1, 6)[:, None]
    elif kind == "all isolated":
        position *= 1e3
    elif kind == "disconnected":
        position[:32] += 1e6
    elif kind == "empty spots":
        counts[:6] = 0
    elif kind == "one gene":
        counts = counts[:, :1]
    genes = np.arange(counts.shape[1]).astype(str)
    return Data(sp.csr_matrix(counts), genes, position, data.pitch)


KINDS = ["duplicate positions", "one position", "collinear", "diagonal", "isolated spots",
         "all isolated", "disconnected", "empty spots", "one gene"]  # fmt: skip


@pytest.mark.parametrize("variant", ["described", "released"])
@pytest.mark.parametrize("kind", KINDS)
def test_awkward_tissues_still_get_a_whole_answer(kind, variant):
    """Bad input: degenerate positions, isolated spots, separate pieces, few genes."""
    data = awkward(kind)
    for changes in ({}, {"grid_columns": 3, "grid_rows": 2}, {"graph": "knn"}):
        result = run("stagate", data, Job(0, 3), variant, **SMALL, **changes)
        assert result.clusters.shape == (64,)
        assert np.isfinite(result.embedding).all()


def test_fewer_genes_than_asked_for_and_more_clusters_than_spots():
    """Bad input: all genes are taken; the number of clusters is refused by name."""
    data, _ = tissue(6, genes=20)
    assert run("stagate", data, Job(0, 2), n_genes=3000, **SMALL).clusters.shape == (36,)
    with pytest.raises(ValueError, match="n_clusters: 37 clusters asked of 36"):
        run("stagate", data, Job(0, 37), **SMALL)


def test_missing_coordinates_and_unknown_number():
    """Bad input: no positions are named; without K the mixture's BIC decides."""
    data, _ = tissue(8, signal=4.0)
    with pytest.raises(ValueError, match="coordinates"):
        run("stagate", Data(data.counts, data.genes), Job(0, 2), **SMALL)
    result = run("stagate", data, Job(0, None), **SMALL)
    assert "BIC" in result.notes["k_rule"]
