"""GraphCVAE: formulas on small cases, a dense reference, planted stripes."""

from __future__ import annotations

import numpy as np
import pytest
import scipy.sparse as sp
import torch
from sklearn.decomposition import PCA
from torch.nn.functional import elu, normalize
from torch_geometric.nn import GCNConv

from methods.contract import Data, Job
from methods.graphcvae.augment import augmented, best_neighbours, profiles, similarity
from methods.graphcvae.inputs import propagation, readout
from methods.graphcvae.losses import contrast, divergence, reconstruction_error
from methods.graphcvae.model import Model, prepare
from methods.graphcvae.network import Network
from methods.shared.expression.counts import scale_to_total
from methods.shared.expression.spots import scaled_log_expression
from methods.shared.graphs.sections import section_knn, section_vote
from methods.shared.nn.sparse import TiledMatrix
from methods.shared.training.loop import Training, fused_adam
from methods.shared.training.seeding import random_stream, torch_stream
from tests.methods.toys import leaves, params, run, same_gradients, tissue

VARIANTS = ["described", "released"]


def build(variant: str = "described", seed: int = 0, side: int = 8, **changes) -> Model:
    data, _ = tissue(side)
    chosen = params("graphcvae", variant, **changes)
    return Model(prepare(data, chosen, random_stream(seed, "augmentation")), chosen, Job(seed, 3))


def dense(matrix: TiledMatrix) -> torch.Tensor:
    return matrix.matrix.forward.to_dense()


def digraph(*edges: tuple[int, int], n: int = 4) -> sp.csr_matrix:
    row, column = zip(*edges, strict=True)
    return sp.csr_matrix((np.ones(len(edges), dtype=np.float32), (row, column)), shape=(n, n))


def test_propagation_on_four_spots():
    """GraphCVAE 1: D^-1/2 (K + I)^T D^-1/2; a spot that nobody chose returns itself."""
    graph = digraph((0, 1), (0, 2), (1, 2), (3, 1), (2, 1))
    found = propagation(graph, "directed").toarray()
    looped = graph.toarray() + np.eye(4)
    scale = np.diag(1 / np.sqrt(looped.sum(axis=0)))
    np.testing.assert_allclose(found, scale @ looped.T @ scale, rtol=1e-6)
    np.testing.assert_array_equal(found[0], [1, 0, 0, 0])
    np.testing.assert_array_equal(found[3], [0, 0, 0, 1])
    edges = torch.tensor(np.array(looped.nonzero()))
    layer = GCNConv(4, 4, bias=False, add_self_loops=True)
    layer.lin.weight.data = torch.eye(4)
    np.testing.assert_allclose(layer(torch.eye(4), edges).detach(), found, rtol=1e-6)


def test_symmetric_propagation_and_readout():
    """GraphCVAE 1, described: either direction kept; the summary averages the same neighbours."""
    graph = digraph((0, 1), (1, 2), n=3)
    a = np.array([[1, 1, 0], [1, 1, 1], [0, 1, 1]])
    root = np.sqrt(a.sum(axis=1))
    expected = a / np.outer(root, root)
    np.testing.assert_allclose(propagation(graph, "symmetric").toarray(), expected, rtol=1e-6)
    mean = a / a.sum(axis=1, keepdims=True)
    np.testing.assert_allclose(readout(graph, "neighbourhood").toarray(), mean, rtol=1e-6)
    assert readout(graph, "identity") is None


def brute_force(data: Data, image: np.ndarray | None, k: int, drop_best: bool) -> np.ndarray:
    """Average neighbours as the public code does, with dense arrays of spots x spots."""
    counts = data.counts.toarray().astype(float)
    mask = section_knn(data.coordinates, k, data.pitch).toarray()
    weight = mask * np.corrcoef(counts)
    if image is not None:
        unit = image / np.linalg.norm(image, axis=1, keepdims=True)
        weight *= np.maximum(unit @ unit.T, 0)
    last = np.argsort(weight, axis=1, kind="stable")[:, -4:]
    last = last[:, :-1] if drop_best else last[:, 1:]
    average = np.zeros_like(counts)
    for i, chosen in enumerate(last):
        total = weight[i, chosen].sum()
        if total > 0:
            average[i] = weight[i, chosen] / total @ counts[chosen]
    return average


@pytest.mark.parametrize("with_image", [False, True])
@pytest.mark.parametrize("drop_best", [False, True])
def test_neighbour_averages_as_with_dense_arrays(drop_best, with_image):
    """GraphCVAE 2: weights on the 30 neighbours alone give what sorting all spots gives."""
    data, _ = tissue(9)
    image = np.random.default_rng(0).normal(size=(81, 5)) if with_image else None
    near = section_knn(data.coordinates, 30, data.pitch)
    weights = similarity(profiles(data.counts, random_stream(0, "x")), near, centred=True)
    if image is not None:
        weights *= np.maximum(similarity(image, near, centred=False), 0)
    averaging = best_neighbours(near, weights, 3, drop_best)
    expected = brute_force(data, image, 30, drop_best)
    np.testing.assert_allclose((averaging @ data.counts).toarray(), expected, atol=1e-5)


def test_constant_expression_and_negative_similarity():
    """GraphCVAE 2: identical neighbours average to the spot itself; none that is alike to 0."""
    data, _ = tissue(5)
    near = section_knn(data.coordinates, 6, data.pitch)
    averaging = best_neighbours(near, np.ones(near.nnz), 3, True)
    constant = sp.csr_matrix(np.tile(np.arange(4.0), (25, 1)))
    np.testing.assert_allclose((averaging @ constant).toarray(), constant.toarray())
    nothing = best_neighbours(near, -np.ones(near.nnz), 3, False)
    assert nothing.nnz == 0
    same = augmented(data.counts, nothing, 1.0, 0.3)
    np.testing.assert_array_equal(same.toarray(), data.counts.toarray())


@pytest.mark.parametrize("genes", [600, 2100])
def test_profiles_keep_the_correlations_of_the_components(genes):
    """GraphCVAE 2: 100 components of raw counts, by whichever solver, correlate alike."""
    rng = np.random.default_rng(0)
    near = section_knn(tissue(12)[0].coordinates, 6, 100.0)
    counts = sp.csr_matrix(rng.poisson(rng.gamma(1, 1, (144, genes))).astype(np.float32))
    components = PCA(100, svd_solver="full").fit_transform(counts.toarray())
    pairs = near.tocoo()
    expected = np.corrcoef(components)[pairs.row, pairs.col]
    found = similarity(profiles(counts, random_stream(0, "x")), near, centred=True)
    np.testing.assert_allclose(found, expected, atol=1e-4)
    assert np.ptp(expected) > 0.3


@pytest.mark.parametrize("variant", VARIANTS)
def test_inputs_are_those_of_the_variant(variant):
    """GraphCVAE 1 to 3: graph, averages, weight of the spot itself and readout, dense."""
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
    """Several sections whose places overlap: no neighbour, edge or vote from another one."""
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


def test_counting_a_spot_twice_halves_its_neighbours():
    """GraphCVAE 3: the normalised profile of 2 X + 0.3 A is that of X + 0.15 A."""
    data, _ = tissue(8)
    near = section_knn(data.coordinates, 30, data.pitch)
    weights = similarity(data.counts, near, centred=True)
    averaging = best_neighbours(near, weights, 3, True)
    twice, half = (
        scale_to_total(augmented(data.counts, averaging, own, weight), 1e4)[0].toarray()
        for own, weight in ((2.0, 0.3), (1.0, 0.15))
    )
    np.testing.assert_allclose(twice, half, rtol=1e-5)


def test_divergence_by_hand_and_its_gradient():
    """GraphCVAE 4: 0 for a standard normal, 0.5 for mean 1; finite differences."""
    zero, one = torch.zeros(3, 2), torch.ones(3, 2)
    assert divergence(zero, zero).item() == 0
    assert divergence(one, zero).item() == pytest.approx(0.5)
    assert torch.autograd.gradcheck(divergence, leaves((4, 3), (4, 3)))


def test_error_without_the_product():
    """GraphCVAE 5: the Gram identity gives the direct error, and its gradients."""
    z, v, c = leaves((7, 3), (3, 11), (11,))
    x = torch.tensor(np.random.default_rng(1).poisson(0.5, (7, 11)).astype(float))
    totals = (x.square().sum().item(), x.sum(dim=0))
    ours = reconstruction_error(z, x @ v.T, v, c, totals)
    same_gradients(ours, (x - (z @ v + c)).square().mean(), [z, v, c])


def test_contrast_by_hand():
    """GraphCVAE 6: z = (3, 4) agrees 5 with its unit vector; without noise or shuffle g' = g."""
    net = Network(5, 2, torch_stream(0, "weights"))
    net.bilinear.data = torch.eye(2)
    z = torch.tensor([[3.0, 4.0]])
    g = normalize(z, dim=1)
    torch.testing.assert_close(g, torch.tensor([[0.6, 0.8]]))
    assert net.agreement(z, g).item() == pytest.approx(5)
    assert net.agreement(g, g).item() == pytest.approx(1)

    def cross_entropy(positive: float, negative: float) -> float:
        return 0.5 * (np.log1p(np.exp(-positive)) + np.log1p(np.exp(negative)))

    # first loss: positive 5, negative 1; second: positive 1, negative 5
    expected = cross_entropy(5, 1) + cross_entropy(1, 5)
    assert contrast(net.agreement, z, g, g).item() == pytest.approx(expected)


def test_without_noise_and_shuffle_the_corrupted_summary_is_the_own(monkeypatch):
    """GraphCVAE 6: identity permutation and no noise give g' = g."""
    model = build("released")
    monkeypatch.setattr(torch, "randperm", lambda n, generator: torch.arange(n))
    monkeypatch.setattr(model, "sample", lambda posterior: posterior.mean)
    projected = model.network.project(model.features)
    posterior = model.network.encode(projected, model.graph)
    own, other = posterior.mean, model.corrupted(projected)
    torch.testing.assert_close(model.summary(other), model.summary(own))
    torch.testing.assert_close(model.summary(own), normalize(own, dim=1))


def test_shuffling_the_product_is_shuffling_expression():
    """GraphCVAE 7: propagate the permuted product, or the product of permuted expression."""
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
    """GraphCVAE 8: without convolutions h3 = ELU(L3 L2 ELU(L1 x))."""
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


def test_number_of_weights():
    """Section 2: 1,043,281 with the five biases of convolutions that batch normalisation undoes."""
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
    """Sections 2 and 3: the same losses as the equations written out with dense arrays."""
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
