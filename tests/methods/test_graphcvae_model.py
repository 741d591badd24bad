"""GraphCVAE's network and its steps against the equations with dense arrays."""

from __future__ import annotations

import numpy as np
import pytest
import scipy.sparse as sp
import torch
from torch.nn.functional import elu, normalize

from methods.contract import Data, Job
from methods.graphcvae.inputs import propagation
from methods.graphcvae.model import Model, prepare
from methods.graphcvae.network import Network
from methods.shared.expression.spots import scaled_log_expression
from methods.shared.graphs.sections import section_knn, section_vote
from methods.shared.nn.sparse import TiledMatrix
from methods.shared.training.loop import Training, fused_adam
from methods.shared.training.seeding import random_stream, torch_stream
from tests.methods.test_graphcvae_augment import brute_force
from tests.methods.toys import params, run, tissue

VARIANTS = ["described", "released"]


def build(variant: str = "described", seed: int = 0, side: int = 8, **changes) -> Model:
    data, _ = tissue(side)
    chosen = params("graphcvae", variant, **changes)
    return Model(prepare(data, chosen, random_stream(seed, "augmentation")), chosen, Job(seed, 3))


def dense(matrix: TiledMatrix) -> torch.Tensor:
    return matrix.matrix.forward.to_dense()


@pytest.mark.parametrize("variant", VARIANTS)
def test_inputs_are_those_of_the_variant(variant):
    """Graph, averages, weight of the spot itself and readout, with dense arrays."""
    released = variant == "released"
    data, _ = tissue(9, signal=4.0)
    chosen = params("graphcvae", variant, use_image=False, n_genes=60)
    inputs = prepare(data, chosen, random_stream(0, "x"))
    own, kind = (2.0, "directed") if released else (1.0, "symmetric")
    averages = sp.csr_matrix(brute_force(data, None, 30, released))
    expected = scaled_log_expression(sp.csr_matrix(own * data.counts + 0.3 * averages), 60)
    np.testing.assert_allclose(inputs.features.toarray(), expected.toarray(), atol=1e-4)
    graph = section_knn(data.coordinates, 3 if released else chosen.n_neighbors, data.pitch)
    assert abs(inputs.propagation - propagation(graph, kind)).max() < 1e-6
    assert (inputs.readout is None) is released


def test_spots_keep_to_their_section(monkeypatch):
    """Several sections whose coordinates overlap: no neighbour, edge or vote from another one."""
    first, _ = tissue(9, seed=0)
    second, _ = tissue(9, seed=1)
    both = Data(
        sp.csr_matrix(sp.vstack([first.counts, second.counts])), first.genes,
        np.concatenate([first.coordinates, first.coordinates + 1.0]), 100.0,
        batch=np.repeat([0, 1], 81),
    )  # fmt: skip
    chosen = params("graphcvae")
    inputs = prepare(both, chosen, random_stream(0, "x"))
    for graph in (inputs.propagation, inputs.readout):
        assert graph[:81, 81:].nnz == graph[81:, :81].nnz == 0
    averaged = []
    monkeypatch.setattr(
        "methods.graphcvae.model.augmented",
        lambda counts, averaging, *rest: averaged.append(averaging) or counts,
    )
    prepare(both, chosen, random_stream(0, "x"))
    assert averaged[0][:81, 81:].nnz == averaged[0][81:, :81].nnz == 0
    voted = run("graphcvae", both, Job(0, 2), epochs=1, refine=6).clusters
    plain = run("graphcvae", both, Job(0, 2), epochs=1).clusters
    expected = section_vote(plain, both.coordinates, 6, 100.0, both.batch)
    np.testing.assert_array_equal(voted, expected)
    assert (expected != section_vote(plain, both.coordinates, 6, 100.0, None)).any()


def test_without_noise_and_shuffle_the_corrupted_summary_is_the_own(monkeypatch):
    """The identity permutation and no noise give g' = g."""
    model = build("released")
    monkeypatch.setattr(torch, "randperm", lambda n, generator: torch.arange(n))
    monkeypatch.setattr(model, "sample", lambda posterior: posterior.mean)
    projected = model.network.project(model.features)
    posterior = model.network.encode(projected, model.graph)
    own, other = posterior.mean, model.corrupted(projected)
    torch.testing.assert_close(model.summary(other), model.summary(own))
    torch.testing.assert_close(model.summary(own), normalize(own, dim=1))


def test_shuffling_the_product_is_shuffling_expression():
    """Propagate the permuted product, or the product of permuted expression."""
    model = build()
    order = torch.randperm(64, generator=torch.Generator().manual_seed(0))
    projected = model.network.project(model.features)
    shuffled = model.network.project(TiledMatrix(prepared_rows(model)[order.numpy()]))
    torch.testing.assert_close(
        model.graph @ projected.convolved[order], model.graph @ shuffled.convolved
    )
    torch.testing.assert_close(projected.shortcut[order], shuffled.shortcut)


def prepared_rows(model: Model) -> sp.csr_matrix:
    return sp.csr_matrix(dense(model.features).numpy())


def test_third_shortcut_starts_from_the_second():
    """Without convolutions h3 = ELU(L3 L2 ELU(L1 x))."""
    model = build()
    net = model.network
    for norm in net.norms:
        torch.nn.init.zeros_(norm.weight)
    projected = net.project(model.features)
    hidden = net.encode(projected, model.graph).hidden
    x = dense(model.features)
    for weight, bias in list(zip(net.shortcuts, net.biases, strict=True))[:1]:
        x = elu(x @ weight + bias)
    for weight, bias in list(zip(net.shortcuts, net.biases, strict=True))[1:]:
        x = x @ weight + bias
    torch.testing.assert_close(hidden, elu(x), rtol=1e-4, atol=1e-4)


def test_network_has_the_weights_of_its_layers():
    """1,043,281 with the five biases of convolutions that batch normalisation undoes."""
    net = Network(2000, 64, torch_stream(0, "weights"))
    ours = sum(weight.numel() for weight in net.parameters())
    assert ours + (128 + 256 + 512 + 64 + 64) == 1_043_281
    assert net.bilinear.abs().max() <= (6 / (64 * 64 + 64)) ** 0.5


def reference_step(model: Model) -> torch.Tensor:
    """The equations with dense arrays, both passes written out, noise from the same streams."""
    net, params = model.network, model.params
    x, p = dense(model.features), dense(model.graph)
    m = torch.eye(len(x)) if model.readout is None else dense(model.readout)

    def encode(features):
        second = third = None
        h = elu(net.norms[0](p @ features @ net.convolutions[0])
                + features @ net.shortcuts[0] + net.biases[0])  # fmt: skip
        second = h @ net.shortcuts[1] + net.biases[1]
        third = second @ net.shortcuts[2] + net.biases[2]
        h = elu(net.norms[1](p @ h @ net.convolutions[1]) + second)
        h = elu(net.norms[2](p @ h @ net.convolutions[2]) + third)
        mean, logvar = net.head_norm(p @ h @ net.heads).chunk(2, dim=1)
        noise = torch.randn(mean.shape, generator=model.noise)
        return mean, logvar, mean + (logvar / 2).exp() * noise

    mean, logvar, z = encode(x)
    other = encode(x[torch.randperm(len(x), generator=model.shuffles)])[2]
    g, g_other = (v / v.norm(dim=1, keepdim=True) for v in (m @ z, m @ other))
    kept = torch.rand(z.shape, generator=model.masks) >= 0.1
    decoded = (z * kept / 0.9) @ net.decoder + net.decoder_bias

    def cross_entropy(h, c, positive):
        logit = torch.einsum("ni,ij,nj->n", h, net.bilinear, c) + net.bias
        target = torch.full_like(logit, positive)
        return torch.nn.functional.binary_cross_entropy_with_logits(logit, target)

    first = cross_entropy(z, g, 1.0) + cross_entropy(g_other, g, 0.0)
    second = cross_entropy(g_other, g_other, 1.0) + cross_entropy(z, g_other, 0.0)
    divergent = -0.5 * (1 + logvar - mean**2 - logvar.exp()).mean()
    error = (x - decoded).square().mean()
    return params.alpha * error + params.beta * (first + second) / 2 + params.theta * divergent


@pytest.mark.parametrize("variant", VARIANTS)
def test_ten_steps_as_with_dense_arrays(variant):
    """The losses are those of the equations written out with dense arrays."""
    sparse, full = build(variant), build(variant)
    weights = list(full.network.parameters())
    optimiser = torch.optim.Adam(weights, lr=2e-3)
    training = Training(Job(0), 10, lambda: np.zeros(1))
    training.run(fused_adam(list(sparse.network.parameters()), 2e-3), sparse.step, 10)
    for row in training.trace:
        optimiser.zero_grad()
        loss = reference_step(full)
        loss.backward()
        optimiser.step()
        assert row["loss"] == pytest.approx(loss.item(), rel=2e-3)


def test_embeddings_to_choose_from():
    """Mean, log-variance, hidden layer; the reconstruction keeps all distances."""
    models = {
        kind: build(embedding=kind) for kind in ("mean", "logvar", "hidden", "reconstruction")
    }
    found = {kind: model.embedding() for kind, model in models.items()}
    assert found["hidden"].shape == (64, 512)
    assert not np.allclose(found["mean"], found["logvar"])
    decoder = models["mean"].network.decoder.detach().double().numpy()
    direct = found["mean"].astype(float) @ decoder
    compact = found["reconstruction"]
    np.testing.assert_allclose(compact @ compact.T, direct @ direct.T, atol=1e-6)
