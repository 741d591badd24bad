"""GAE, VGAE, DGI and GraphMAE: losses against dense formulas, graphs, seeds, a flat end."""

from __future__ import annotations

import dataclasses
import importlib
from functools import cache
from typing import Any

import numpy as np
import pytest
import scipy.sparse as sp
import torch
from sklearn.metrics import adjusted_rand_score
from torch import Tensor
from torch.nn.functional import cosine_similarity, logsigmoid, prelu

from blindfold.core.datasets import dataset_card
from blindfold.prepare.readers import reader
from methods.contract import Data, Job
from methods.graphmae.model import scaled_cosine_error
from methods.graphmae.network import draw_mask
from methods.shared.graphs.components import component_graph
from methods.shared.graphs.weights import normalized_adjacency, with_loops
from methods.shared.losses.links import Links
from methods.shared.training.seeding import seeded_torch
from tests.methods.interrupted import go_on_from_everywhere
from tests.methods.test_planted_mosaic import CELLS, mosaic
from tests.methods.toys import cells, params, run, tissue

GENERIC = ["gae", "vgae", "dgi", "graphmae"]
SHORT = {"epochs": 4, "width": 30}


def build(name: str, data: Data, seed: int = 3, **changes: Any) -> Any:
    """Return the untrained model of a method in float64.

    Its features are small: from a logit of 37 on the library's sigmoid is 1, its loss cut off.
    """
    graph = component_graph(data, 2000, 50, 15, 6)
    module = importlib.import_module(f"methods.{name}.model")
    model = module.Model(graph, params(name, width=8, **changes), Job(seed, 3))
    small, links = 0.1 * graph.features.double(), graph.adjacency.double()
    model.graph = graph._replace(features=small, adjacency=links)
    model.network = model.network.double()
    return model


def smoothing(model: Any) -> Tensor:
    """Return D^-1/2 (A + I) D^-1/2 of the model's graph, dense."""
    graph = sp.csr_matrix(model.graph.adjacency.to_dense().numpy())
    return torch.from_numpy(normalized_adjacency(with_loops(graph)).toarray()).double()


def convolved(x: Tensor, smooth: Tensor, layer: torch.nn.Module) -> Tensor:
    return smooth @ x @ layer.lin.weight.T + layer.bias


def link_loss(z: Tensor, links: Links, name: str, model: Any) -> Tensor:
    """Cross-entropy of all edges and of the pairs that the seed gives, from dense logits."""
    with seeded_torch(model.seed, name):
        other = links.non_edges()
    logits = z @ z.T
    inside, outside = (logits[pairs[0], pairs[1]] for pairs in (links.edges, other))
    return -logsigmoid(inside).mean() - logsigmoid(-outside).mean()


def gae_loss(model: Any) -> dict[str, Tensor]:
    smooth, encoder = smoothing(model), model.network.encoder
    hidden = convolved(model.graph.features, smooth, encoder.conv1).relu()
    z = convolved(hidden, smooth, encoder.conv2)
    return {"edges": link_loss(z, model.links, "epoch 0", model)}


def vgae_loss(model: Any) -> dict[str, Tensor]:
    smooth, encoder = smoothing(model), model.network.encoder
    hidden = convolved(model.graph.features, smooth, encoder.conv1).relu()
    mean, log_deviation = (
        convolved(hidden, smooth, c) for c in (encoder.conv_mu, encoder.conv_logstd)
    )
    with seeded_torch(model.seed, "epoch 0"):
        model.links.non_edges()
        z = mean + torch.randn_like(mean) * log_deviation.exp()
    normal = torch.distributions.Normal
    divergence = torch.distributions.kl_divergence(normal(mean, log_deviation.exp()), normal(0, 1))
    return {
        "edges": link_loss(z, model.links, "epoch 0", model),
        "divergence": divergence.sum(dim=1).mean() / len(mean),
    }


def dgi_loss(model: Any) -> dict[str, Tensor]:
    smooth, net, x = smoothing(model), model.network, model.graph.features
    with seeded_torch(model.seed, "epoch 0"):
        order = torch.randperm(len(x))
    own, other = (
        prelu(convolved(f, smooth, net.encoder.conv), net.encoder.prelu.weight)
        for f in (x, x[order])
    )
    against = net.weight @ own.mean(dim=0).sigmoid()
    return {"infomax": -logsigmoid(own @ against).mean() - logsigmoid(-other @ against).mean()}


def graphmae_loss(model: Any) -> dict[str, Tensor]:
    smooth, net, x = smoothing(model), model.network, model.graph.features
    with seeded_torch(model.seed, "epoch 0"):
        mask = draw_mask(len(x), 0.5, 0.05, "cpu")
    seen = x.clone()
    seen[mask.hidden] = net.token.data
    seen[mask.noise] = x[mask.donors]
    hidden = prelu(convolved(seen, smooth, net.conv1), net.prelu1.weight)
    latent = prelu(convolved(hidden, smooth, net.conv2), net.prelu2.weight) @ net.bridge.weight.T
    latent = latent * ~torch.isin(torch.arange(len(x)), mask.hidden)[:, None]
    found = convolved(latent, smooth, net.decoder)
    cosine = cosine_similarity(found[mask.hidden], x[mask.hidden])
    return {"features": ((1 - cosine) ** 3).mean()}


@pytest.mark.parametrize("kind", [cells, tissue])
@pytest.mark.parametrize("name", GENERIC)
def test_losses_and_gradients_as_with_dense_arrays(name, kind):
    """The equations of the papers with every matrix formed, at the start of the training."""
    model = build(name, kind()[0], dropout=0.0)
    found, expected = model.step(0), globals()[f"{name}_loss"](model)
    weights = [w for key, w in model.network.named_parameters() if key != "token"]
    assert list(found) == list(expected)
    for ours, theirs in zip(found.values(), expected.values(), strict=True):
        torch.testing.assert_close(ours, theirs, rtol=1e-6, atol=0)
    both = (torch.autograd.grad(sum(loss.values()), weights) for loss in (found, expected))
    for ours, theirs in zip(*both, strict=True):
        torch.testing.assert_close(ours, theirs, rtol=1e-5, atol=1e-8)


@pytest.mark.parametrize("name", ["gae", "vgae"])
def test_the_loss_of_links_is_that_of_the_library(name):
    """Of given pairs; edges are all edges of the graph."""
    model = build(name, cells()[0])
    z = torch.from_numpy(model.embedding())
    torch.testing.assert_close(model.links.edges, model.graph.adjacency.to_dense().nonzero().T)
    ours = link_loss(z, model.links, "epoch 7", model)
    with seeded_torch(model.seed, "epoch 7"):
        theirs = model.network.recon_loss(z, model.links.edges, model.links.non_edges())
    torch.testing.assert_close(ours, theirs)


def test_cells_are_joined_by_expression():
    """To the 15 nearest in the components, in either direction; scaled by one number."""
    data, _ = cells()
    graph = component_graph(data, 2000, 50, 15, 6)
    x = graph.features.double()
    assert x.square().mean().item() == pytest.approx(1, abs=1e-6)
    distance = torch.cdist(x, x).fill_diagonal_(torch.inf)
    nearest = torch.zeros_like(distance).scatter_(1, distance.topk(15, largest=False).indices, 1)
    torch.testing.assert_close(
        graph.adjacency.to_dense().double(), torch.maximum(nearest, nearest.T)
    )
    assert graph.notes["graph"] == "expression"


def test_spots_are_joined_by_place_within_their_section():
    """Two sections at the same positions share no edge; expression plays no part."""
    data, _ = tissue()
    batch = np.random.default_rng(0).integers(2, size=data.n_cells)
    split = dataclasses.replace(data, batch=batch)
    graph = component_graph(split, 2000, 50, 15, 6)
    assert graph.notes["graph"] == "space"
    rows, columns = graph.edges.numpy()
    assert (batch[rows] == batch[columns]).all()
    assert np.bincount(rows).min() >= 6
    whole = component_graph(data, 2000, 50, 15, 6).edges.numpy()
    assert (batch[whole[0]] != batch[whole[1]]).any()
    order = np.random.default_rng(1).permutation(data.n_cells)
    other = component_graph(dataclasses.replace(split, counts=data.counts[order]), 2000, 50, 15, 6)
    torch.testing.assert_close(other.edges, graph.edges)


def test_drawn_pairs_are_no_edges_and_no_loops_and_all_others_come():
    links = Links(component_graph(tissue(6)[0], 2000, 50, 15, 6).edges, 36)
    taken = {tuple(pair) for pair in links.edges.T.tolist()} | {(i, i) for i in range(36)}
    with seeded_torch(0, "pairs"):
        drawn = {tuple(pair) for _ in range(100) for pair in links.non_edges().T.tolist()}
    assert not drawn & taken
    assert len(drawn) + len(taken) == 36**2


def test_graphs_of_all_pairs_and_of_none_have_loops_to_learn_from():
    everyone = torch.ones(4, 4).fill_diagonal_(0).nonzero().T
    with seeded_torch(0, "pairs"):
        assert Links(everyone, 4).non_edges().tolist() == [[0, 1, 2, 3]] * 2
        lonely = Links(torch.empty(2, 0, dtype=torch.long), 1)
        assert lonely.edges.tolist() == lonely.non_edges().tolist() == [[0], [0]]


def test_hidden_features_are_a_target_only():
    """No reconstruction depends on what a hidden cell expresses, unless it was lent as noise."""
    model = build("graphmae", tissue(8)[0], dropout=0.0)
    with seeded_torch(0, "mask"):
        mask = draw_mask(64, 0.5, 0.1, "cpu")
    x = model.graph.features.clone().requires_grad_()
    found = model.network(x, model.graph.adjacency, mask)
    (seen,) = torch.autograd.grad(found.square().sum(), x)
    known = torch.ones(64).index_fill(0, mask.hidden, 0).index_fill(0, mask.donors, 1).bool()
    assert (len(mask.hidden), len(mask.noise), len(mask.donors)) == (32, 3, 3)
    assert not seen[~known].any()
    assert seen[known].any(dim=1).float().mean() > 0.9


def test_scaled_cosine_error_by_hand():
    """Parallel, orthogonal and opposite rows: 0, 1 and 2 to the power of gamma."""
    true = torch.tensor([[1.0, 0.0], [0.0, 2.0], [3.0, 0.0]])
    found = torch.tensor([[5.0, 0.0], [1.0, 0.0], [-1.0, 0.0]])
    assert scaled_cosine_error(found, true, 3).item() == pytest.approx((0 + 1 + 8) / 3)


def test_the_rate_of_graphmae_falls_along_half_a_cosine():
    model, rates = build("graphmae", cells()[0], epochs=4), []
    for epoch in range(4):
        model.step(epoch)
        rates.append(model.optimiser.param_groups[0]["lr"])
    np.testing.assert_allclose(rates, [1e-3, 8.5355e-4, 5e-4, 1.4645e-4], rtol=1e-4)


@pytest.mark.parametrize("name", GENERIC)
def test_the_seed_is_the_only_source(name):
    """Whatever state torch's own generator is in, and it is left as it was."""
    data, _ = tissue(8)
    found = []
    for state, seed in ((0, 5), (1, 5), (1, 6)):
        torch.manual_seed(state)
        before = torch.get_rng_state()
        found.append(run(name, data, Job(seed, 3), **SHORT))
        assert torch.equal(before, torch.get_rng_state())
    np.testing.assert_array_equal(found[0].clusters, found[1].clusters)
    np.testing.assert_array_equal(found[0].embedding, found[1].embedding)
    assert not np.array_equal(found[1].embedding, found[2].embedding)


@pytest.mark.parametrize("name", GENERIC)
def test_a_killed_run_ends_with_the_same_bytes(name):
    assert go_on_from_everywhere(name, "described", tissue(8)[0], **SHORT) == 4


@pytest.mark.parametrize("name", GENERIC)
def test_planted_groups_are_found(name):
    """With their number given; without it one is estimated from the embedding."""
    data, truth = cells(150)
    given, alone = (run(name, data, Job(0, k), epochs=100, width=64) for k in (3, None))
    assert adjusted_rand_score(truth, given.clusters) > 0.9
    assert "eigengap" in alone.notes["k_rule"]
    assert 2 <= len(np.unique(alone.clusters)) <= 20
    np.testing.assert_array_equal(alone.embedding, given.embedding)


def unrest(trace: Any) -> float:
    """Return how far the mean loss of the last tenth lies from that of the tenth before.

    Relative to the drop from the mean of the first tenth: negatives, masks and noise are drawn
    anew in every epoch, so single epochs say little.
    """
    loss = np.array([row["loss"] for row in trace])
    tenth = len(loss) // 10
    first, before, last = (
        loss[:tenth].mean(),
        loss[-2 * tenth : -tenth].mean(),
        loss[-tenth:].mean(),
    )
    return abs(before - last) / (first - last)


@pytest.mark.parametrize("name", GENERIC)
def test_the_loss_ends_flat_on_small_data(name):
    changes = {"epochs": 300, "width": 64} if name == "graphmae" else {}
    assert unrest(run(name, cells(300)[0], Job(0, 3), **changes).trace) < 0.03


@cache
def blood() -> Data:
    """Return the cells of pbmc68k as `prepare` makes them."""
    described = dataset_card("pbmc68k")
    made = reader("log_normalised")({"cells": CELLS}, described.options, described)
    return Data(sp.csr_matrix(made.X, dtype=np.float32), made.var_names.to_numpy(dtype=str))


@pytest.mark.slow
@pytest.mark.parametrize(
    ("name", "data"),
    # GraphMAE takes minutes; on the mosaic its loss is in the document
    [(name, "pbmc68k") for name in GENERIC] + [(n, "mosaic") for n in GENERIC if n != "graphmae"],
)
def test_the_loss_ends_flat_with_the_settings_of_the_card(name, data):
    given = blood() if data == "pbmc68k" else mosaic()[0]
    assert unrest(run(name, given, Job(0, 6)).trace) < 0.03
