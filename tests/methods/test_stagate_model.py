"""STAGATE: steps, tying and pruning against dense references; planted stripes."""

from __future__ import annotations

import dataclasses
import math

import numpy as np
import pytest
import scipy.sparse as sp
import torch
from sklearn.metrics import adjusted_rand_score
from torch.nn.functional import elu

from methods.contract import Data, Job
from methods.shared.clustering.mclust import fit_mixture
from methods.shared.graphs.weights import with_loops
from methods.stagate.attention import attention
from methods.stagate.inputs import within_types
from methods.stagate.model import Model, build
from methods.stagate.parts import Tissue
from tests.methods.test_stagate_attention import ring
from tests.methods.toys import params, run, tissue


def small(seed: int = 0, n: int = 30, isolated: bool = False, **changes) -> Model:
    """Thirty spots on a random directed graph, in float64 where nothing shares memory."""
    rng = np.random.default_rng(seed)
    graph = (rng.random((n, n)) < 0.15).astype(float)
    np.fill_diagonal(graph, 0)
    if isolated:
        graph[0] = graph[:, 0] = 0
    features = rng.random((n, 8)) * (rng.random((n, 8)) < 0.5)
    types = rng.integers(2, size=n) if changes.get("alpha") else None
    chosen = params("stagate", **{"width": 6, "latent": 3, **changes})
    coordinates = rng.random((n, 2))
    kind = np.float32 if chosen.tie == "pyg" else np.float64
    cut = Tissue(sp.csr_matrix(features.astype(kind)), sp.csr_matrix(graph), coordinates, types)
    model = Model(cut, chosen, Job(seed, 3))
    model.network = model.network if model.network.split else model.network.double()
    return model


def dense_error(x, mask, first, vectors, second, second_out, first_out) -> torch.Tensor:
    """The equations with masked softmax and every array formed."""
    s = x @ first
    scores = s @ vectors
    e = torch.sigmoid(scores[:, :1] + scores[:, 1]).masked_fill(~mask, -torch.inf)
    weights = torch.softmax(e, dim=1)
    latent = elu(weights @ s) @ second
    hidden = elu(weights @ (latent @ second_out.T))
    return (x - hidden @ first_out.T).square().sum()


def dense_parts(model: Model) -> tuple[torch.Tensor, torch.Tensor]:
    part = model.whole[0][1]
    x = part.features.matrix.forward.to_dense()
    mask = part.graph.product(torch.ones(len(part.graph.columns)), torch.eye(len(x))) > 0
    return x, mask


def test_isolated_spot_sees_itself():
    """Its weight is 1 and its hidden row the ELU of its own projection."""
    model = small(isolated=True)
    part = model.whole[0][1]
    encoded = model.encode(part)
    assert encoded.weights[part.graph.rows == 0].tolist() == [1.0]
    own = elu(encoded.projected[0]) @ model.network.second
    torch.testing.assert_close(encoded.latent[0], own)


def test_encoder_and_decoder_as_with_a_dense_masked_softmax():
    """Values and gradients on a random graph of 30 spots."""
    model = small()
    net, (x, mask) = model.network, dense_parts(model)
    weights = (net.first, net.vectors[0], net.second)
    found = model.error(model.whole[0][1])
    expected = dense_error(x, mask, *weights, net.second, net.first)
    torch.testing.assert_close(found, expected)
    both = (torch.autograd.grad(loss, weights) for loss in (found, expected))
    for ours, theirs in zip(*both, strict=True):
        torch.testing.assert_close(ours, theirs)


@pytest.mark.parametrize("alpha", [0.0, 0.3])
def test_gradients_match_finite_differences(alpha):
    """Of both attention vectors, W1 and W2; with pruning too."""
    model = small(alpha=alpha)
    net, part = model.network, model.whole[0][1]
    gradients = torch.autograd.grad(model.error(part), list(net.parameters()))
    for weight, gradient in zip(net.parameters(), gradients, strict=True):
        flat = weight.data.view(-1)
        for i in range(0, len(flat), 5):
            values = []
            for sign in (1e-6, -2e-6):
                flat[i] += sign
                values.append(model.error(part).item())
            flat[i] += 1e-6
            slope = (values[0] - values[1]) / 2e-6
            assert gradient.reshape(-1)[i].item() == pytest.approx(slope, rel=1e-4, abs=1e-5)


def test_shared_weights_sum_the_gradients_of_both_uses():
    """With separate parameters each use collects its own; shared is their sum."""
    shared, split = small().network.float(), small(tie="pyg")
    torch.testing.assert_close(shared.first.data, split.network.first.data)
    own = small()
    own.network, own.whole = shared, split.whole
    torch.stack(list(own.loss(own.whole).values())).sum().backward()
    split.loss(split.whole)["reconstruction"].backward()
    net = split.network
    together = net.first.grad + net.first_out.grad
    torch.testing.assert_close(shared.first.grad, together, rtol=1e-4, atol=1e-5)
    decay = 1e-4 * net.second.data
    together = net.second.grad + net.second_out.grad + decay
    torch.testing.assert_close(shared.second.grad, together, rtol=1e-4, atol=1e-5)


def released(**changes) -> Model:
    chosen = params("stagate", "released", width=24, latent=5, **changes)
    return build(tissue(8)[0], chosen, Job(0, 3))[0]


def test_first_step_of_untied_updates_is_none_or_twice_the_rate():
    """Two Adam updates in the same memory."""
    model = released(weight_decay=0.0)
    net = model.network
    assert net.first.data_ptr() == net.first_out.data_ptr()
    assert net.second.data_ptr() == net.second_out.data_ptr()
    before = net.first.data.clone()
    model.step(0)["reconstruction"].backward()
    model.optimiser().step()
    steps = ((net.first.data - before).abs() / model.params.learning_rate).numpy()
    exact = np.isclose(steps, 0, atol=0.01) | np.isclose(steps, 2, atol=0.01)
    assert exact.mean() > 0.99
    assert (steps > 1.9).any()
    assert (steps < 0.1).any()


def test_released_steps_as_with_dense_arrays():
    """Clipping over the doubled list, decay twice, two Adam states a matrix."""
    model = released(clip=0.02)
    x, mask = dense_parts(model)
    net = model.network
    memory = {"first": net.first.data.clone(), "second": net.second.data.clone()}
    memory["vectors"] = net.vectors[0].data.clone()
    order = ["first", "vectors", "second", "second", "first"]
    moments = [(torch.zeros_like(memory[k]), torch.zeros_like(memory[k])) for k in order]
    ours = model.optimiser()
    for step in range(1, 6):
        ours.zero_grad()
        model.step(step - 1)["reconstruction"].backward()
        ours.step()
        leaves = [memory[k].clone().requires_grad_() for k in order]
        (dense_error(x, mask, *leaves) / x.numel()).backward()
        norm = torch.sqrt(sum(leaf.grad.square().sum() for leaf in leaves))
        for key, leaf, (m, v) in zip(order, leaves, moments, strict=True):
            gradient = leaf.grad * min(1.0, 0.02 / norm.item()) + 1e-4 * memory[key]
            m.lerp_(gradient, 0.1)
            v.lerp_(gradient.square(), 0.001)
            root = (v / (1 - 0.999**step)).sqrt() + 1e-8
            memory[key] -= 1e-3 * (m / (1 - 0.9**step)) / root
    for key, found in (("first", net.first), ("second", net.second), ("vectors", net.vectors[0])):
        torch.testing.assert_close(found.data, memory[key], rtol=1e-3, atol=2e-5)


def test_norm_of_the_error_and_decay_of_the_second_weights():
    """The norm, not squared, and decay of W2 alone."""
    model = small()
    losses = model.loss(model.whole)
    model.params.loss = "mse"
    mean = model.loss(model.whole)["reconstruction"].item()
    second = model.network.second.detach()
    expected = math.sqrt(30 * 8 * mean) + 0.5e-4 * second.square().sum().item()
    assert sum(losses.values()).item() == pytest.approx(expected, rel=1e-9)


def test_a_loss_that_is_not_finite_is_named(monkeypatch):
    """Bad input: the run stops at the epoch, naming the component."""
    monkeypatch.setattr(Model, "error", lambda self, part: self.network.first.sum() * float("nan"))
    for variant in ("described", "released"):
        with pytest.raises(FloatingPointError, match="'reconstruction' is nan in epoch 1 of 5"):
            run("stagate", tissue(8)[0], Job(0, 3), variant, epochs=5)


def test_pruning_keeps_edges_within_types():
    """Only those remain; with alpha 0 they are ignored."""
    model = small(alpha=0.5)
    part = model.whole[0][1]
    types = np.random.default_rng(1).integers(2, size=20)
    graph = with_loops(ring(20, 3))
    kept = within_types(graph, types)
    rows, columns = graph.nonzero()
    np.testing.assert_array_equal(kept, types[rows] == types[columns])
    assert part.pruned.rows.shape == part.kept.shape
    torch.testing.assert_close(part.pruned.columns, part.graph.columns[part.kept])
    torch.testing.assert_close(part.pruned.rows, part.graph.rows[part.kept])
    mixed = model.encode(part)
    model.params.alpha = 0.0
    plain = attention(mixed.projected @ model.network.vectors[0], part.graph)
    torch.testing.assert_close(model.encode(part).weights, plain)
    same = attention(mixed.projected @ model.network.vectors[1], part.pruned)
    torch.testing.assert_close(mixed.weights[part.kept], 0.5 * plain[part.kept] + 0.5 * same)
    assert build(tissue(6)[0], params("stagate"), Job(0, 2))[0].whole[0][1].kept is None


def test_pruned_attention_runs_from_counts():
    """Coarse types are found in expression; every spot keeps itself."""
    data, _ = tissue(10, signal=4.0)
    changes = {"alpha": 0.5, "width": 32, "epochs": 20}
    model, _ = build(data, params("stagate", **changes), Job(0, 3))
    part = model.whole[0][1]
    assert data.n_cells <= len(part.kept) < len(part.graph.columns)
    result = run("stagate", data, Job(0, 3), **changes)
    assert np.isfinite(result.embedding).all()


@pytest.mark.parametrize(("variant", "epochs"), [("described", 500), ("released", 300)])
def test_planted_stripes_are_found_and_coordinates_matter(variant, epochs):
    """By the mixture, in the median of seeds; less well with positions destroyed."""
    data, truth = tissue(18, genes=90, signal=1.5)
    short = {"epochs": epochs, "width": 128}
    found = [run("stagate", data, Job(seed, 3), variant, **short) for seed in range(3)]
    score = np.median([adjusted_rand_score(truth, result.clusters) for result in found])
    assert score > 0.9
    again = fit_mixture(found[0].embedding, 3, np.random.default_rng(0), kmeans_starts=20)
    assert adjusted_rand_score(again.labels, found[0].clusters) > 0.8
    order = np.random.default_rng(0).permutation(data.n_cells)
    lost = dataclasses.replace(data, coordinates=data.coordinates[order])
    without = run("stagate", lost, Job(0, 3), variant, **short)
    assert adjusted_rand_score(truth, without.clusters) < score - 0.1


@pytest.mark.parametrize("variant", ["described", "released"])
def test_permuting_spots_permutes_clusters(variant):
    """The partition of shuffled spots is the shuffled partition."""
    data, _ = tissue(12)
    order = np.random.default_rng(0).permutation(data.n_cells)
    mixed = Data(data.counts[order], data.genes, data.coordinates[order], data.pitch)
    short = {"epochs": 60, "width": 64, "learning_rate": 1e-3}
    first, second = (run("stagate", d, Job(0, 3), variant, **short) for d in (data, mixed))
    np.testing.assert_allclose(first.embedding[order], second.embedding, atol=5e-2)
    assert adjusted_rand_score(first.clusters[order], second.clusters) > 0.95


@pytest.mark.parametrize("variant", ["described", "released"])
def test_same_seed_same_bytes(variant):
    """Determinism on the CPU; another seed gives other weights."""
    data, _ = tissue(8)
    results = [run("stagate", data, Job(s, 3), variant, epochs=8, width=64) for s in (5, 5, 6)]
    np.testing.assert_array_equal(results[0].clusters, results[1].clusters)
    np.testing.assert_array_equal(results[0].embedding, results[1].embedding)
    assert not np.array_equal(results[0].embedding, results[2].embedding)
