"""MultiST's first stage and its losses against dense references."""

from __future__ import annotations

import dataclasses
import math

import numpy as np
import pytest
import scipy.sparse as sp
import torch
from torch.nn.functional import binary_cross_entropy_with_logits, elu

from methods.contract import Data, Job
from methods.multist.adversary import Critic, Generator, kernel_distance, mean_distance
from methods.multist.inputs import expression, genes_in_enough_spots, neighbor_graph
from methods.multist.losses import (
    agreement,
    cosine_error,
    draw_negatives,
    info_nce,
    pair_entropy,
    pattern,
    prior,
    similarity_divergence,
)
from methods.multist.model import Model
from methods.multist.network import Network, SpotNorm
from methods.shared.expression.pca import principal_components
from methods.shared.graphs.weights import normalized_adjacency
from methods.shared.losses.self_training import sharpened_target, student_assignments
from methods.shared.training.loop import Training, adam_with_decay
from tests.methods.toys import leaves, params, same_gradients, tissue


def drawn(seed: int = 0) -> torch.Generator:
    return torch.Generator().manual_seed(seed)


def build(data: Data, variant: str = "described", **changes) -> Model:
    return Model(data, params("multist", variant, **changes), Job(0, 3))


def count(module: torch.nn.Module) -> int:
    return sum(weight.numel() for weight in module.parameters())


def test_number_of_parameters():
    """MultiST 1: 23,032 of the autoencoder, 51,528 of the generator, 34,049 of the critic."""
    assert count(Network(200, 10, drawn())) == 23_032
    assert count(Generator(200, drawn())) == 51_528
    assert count(Critic(200, drawn())) == 34_049


def test_twelve_neighbours_are_two_shells():
    """MultiST 2: inside a hexagonal lattice at 1 and sqrt 3 pitches; radius of the spectrum 1."""
    data, _ = tissue(15)
    graph = neighbor_graph(data, 12)
    middle = 7 * 15 + 7
    near = np.setdiff1d(graph[middle].indices, middle)
    distance = np.linalg.norm(data.coordinates[near] - data.coordinates[middle], axis=1) / 100
    shells = np.repeat([1, np.sqrt(3)], 6)
    np.testing.assert_allclose(np.sort(distance), shells, atol=1e-9)
    assert (graph.diagonal() == 1).all()
    scaled = normalized_adjacency(graph).toarray().astype(float)
    np.testing.assert_allclose(scaled, scaled.T, atol=1e-7)
    assert np.abs(np.linalg.eigvalsh(scaled)).max() == pytest.approx(1, abs=1e-6)
    assert 12 <= graph.nnz / 225 - 1 < 14


def test_divergence_of_unit_variance():
    """MultiST 3: the general formula with a logarithm of 0 is (1/2N) mean |m|^2."""
    mean, logvar = torch.randn(30, 16), torch.zeros(30, 16)
    inner = 1 + 2 * logvar - mean.square() - logvar.exp().square()
    general = -0.5 / 30 * inner.sum(dim=1).mean()
    torch.testing.assert_close(prior(mean), general)
    torch.testing.assert_close(prior(mean), mean.square().sum(dim=1).mean() / 60)


def test_cosine_error_by_hand():
    """MultiST 4: 0 for proportional rows, 1 for orthogonal, 8 for opposite ones."""
    x = torch.eye(4)[:3]
    for made, value in ((3 * x, 0), (torch.eye(4)[[1, 2, 3]], 1), (-x, 8)):
        cosine = agreement(made, torch.eye(4), x, torch.ones(3)).cosine
        torch.testing.assert_close(cosine_error(cosine), torch.tensor(float(value)))


def test_agreement_without_the_reconstruction():
    """Section 3: squared error and cosine of H W against X, values and gradients."""
    x, hidden, decoder = leaves((20, 9), (20, 4), (4, 9))
    x = x.detach()
    found = agreement(hidden, decoder, x @ decoder.T, x.square().sum(dim=1))
    made = hidden @ decoder
    same_gradients(found.error.sum(), (made - x).square().sum(), [hidden, decoder])
    again = agreement(hidden, decoder, x @ decoder.T, x.square().sum(dim=1))
    cosines = torch.cosine_similarity(hidden @ decoder, x, dim=1)
    same_gradients(cosine_error(again.cosine), (1 - cosines).pow(3).mean(), [hidden, decoder])
    empty = agreement(0 * hidden, decoder, 0 * hidden, torch.zeros(20))
    assert torch.isfinite(torch.autograd.grad(cosine_error(empty.cosine), hidden)[0]).all()


def test_distance_of_fisher_vectors():
    """MultiST 5: kernel form, mean vectors and automatic differentiation agree on 50 spots."""
    generator = Generator(7, drawn()).double()
    x, y = (torch.randn(50, 7, dtype=torch.float64).requires_grad_() for _ in range(2))
    phi = [torch.autograd.grad(generator(rows).sum(), rows)[0] for rows in (x, y)]
    for rows, vectors in zip((x, y), phi, strict=True):
        torch.testing.assert_close(generator.fisher_vectors(rows), vectors)
        torch.testing.assert_close(generator.mean_fisher(rows), vectors.mean(dim=0))
    a, b = phi
    kernel = (a @ a.T).mean() + (b @ b.T).mean() - 2 * (a @ b.T).mean()
    torch.testing.assert_close(generator.fisher_distance(x, y), kernel)
    grads = torch.autograd.grad(generator.fisher_distance(x, y), list(generator.parameters())[::2])
    assert all(gradient.abs().sum() > 0 for gradient in grads)


def test_distances_between_spots_and_noise():
    """Section 3: mean distance by hand; the kernel's sees a spread that means do not."""
    z, noise = torch.randn(200, 32), torch.randn(200, 32)
    expected = ((z.mean(0) - noise.mean(0)) ** 2).sum() / 32
    torch.testing.assert_close(mean_distance(z, noise), expected)
    assert kernel_distance(z, z).abs() < 1e-6
    wide = 3 * (z - z.mean(0)) + z.mean(0)
    assert mean_distance(z, wide) < 1e-10
    assert kernel_distance(z, wide) > 10 * kernel_distance(z, z[torch.randperm(200)]).abs()
    for n in (1, 3):
        assert kernel_distance(torch.zeros(n, 4), torch.zeros(n, 4)) == 0


def test_soft_assignments_and_their_target():
    """MultiST 6: rows of q sum to 1, p is sharper on average and equals a uniform q."""
    z, centres = torch.randn(200, 32), torch.randn(10, 32)
    q = student_assignments(z, centres)
    torch.testing.assert_close(q.sum(dim=1), torch.ones(200))
    p = sharpened_target(q)
    entropy = [-(x * x.log()).sum(dim=1).mean() for x in (p, q)]
    assert entropy[0] <= entropy[1]
    even = torch.full((20, 10), 0.1)
    torch.testing.assert_close(sharpened_target(even), even)


def test_contrast_of_identical_orthonormal_views():
    """MultiST 12: log(1 + (n - 1) e^-10) and 0."""
    views = torch.linalg.qr(torch.randn(12, 12, dtype=torch.float64))[0]
    expected = math.log(1 + 11 * math.exp(-10))
    assert info_nce(views, 3 * views).item() == pytest.approx(expected, rel=1e-6)
    assert similarity_divergence(views, views).item() == 0
    other = torch.randn(12, 12, dtype=torch.float64)
    a, b = (torch.softmax(torch.cosine_similarity(v[:, None], v, dim=2) / 0.1, 1)
            for v in (views, other))  # fmt: skip
    both = [(x * (x / y).log()).sum(dim=1).mean() for x, y in ((a, b), (b, a))]
    torch.testing.assert_close(similarity_divergence(views, other), sum(both) / 2)


def test_pairs_are_edges_and_as_many_others():
    """Section 6: negatives of each spot as its edges, none an edge, columns uniform."""
    data, _ = tissue(10)
    graph = neighbor_graph(data, 12)
    negatives = draw_negatives(graph, np.random.default_rng(0))
    np.testing.assert_array_equal(np.bincount(negatives[:, 0]), np.diff(graph.indptr))
    assert not graph[negatives[:, 0], negatives[:, 1]].any()
    drawn_often = np.bincount(negatives[:, 1], minlength=100)
    assert drawn_often[-10:].mean() == pytest.approx(drawn_often.mean(), rel=0.35)
    full = sp.csr_matrix(np.ones((4, 4), dtype=np.float32))
    assert len(draw_negatives(full, np.random.default_rng(0))) == 0


def test_entropy_over_pairs_as_with_dense_arrays(monkeypatch):
    """Section 3: value and gradient, in blocks of pairs too."""
    graph = neighbor_graph(tissue(6)[0], 12)
    negatives = draw_negatives(graph, np.random.default_rng(0))
    pairs = pattern(graph, negatives, "cpu")
    assert pairs.target.sum() == graph.nnz
    (z,) = leaves((36, 5))
    rows, columns = np.concatenate([np.column_stack(graph.nonzero()), negatives]).T
    target = torch.tensor(np.arange(len(rows)) < graph.nnz).double()
    dense = binary_cross_entropy_with_logits((z @ z.T)[rows, columns], target)
    same_gradients(pair_entropy(z, pairs), dense, [z])
    monkeypatch.setattr("methods.multist.losses.EDGES", 100)
    same_gradients(
        pair_entropy(z, pairs),
        binary_cross_entropy_with_logits((z @ z.T)[rows, columns], target),
        [z],
    )


def test_encoder_and_decoder_as_with_dense_arrays():
    """Section 2: the equations written out, with the running statistics."""
    model = build(tissue(7)[0])
    net = model.network
    with torch.no_grad():
        for norm in net.norms:
            norm.running_mean.normal_()
            norm.running_var.uniform_(0.5, 2)
    graph = torch.tensor(normalized_adjacency(neighbor_graph(tissue(7)[0], 12)).toarray())

    def block(x, layer, norm):
        x = x @ layer.weight + layer.bias - norm.running_mean
        return elu(x / torch.sqrt(norm.running_var + 1e-3) * norm.weight + norm.bias)

    f = block(block(model.x, net.first, net.norms[0]), net.second, net.norms[1])
    mean = graph @ torch.relu(graph @ f @ net.hidden) @ net.out
    torch.testing.assert_close(model.latent(), torch.cat([f, mean], 1), rtol=1e-3, atol=1e-4)
    model.drop.rate = 0.0
    encoded, losses, cosine = model.reconstruct()
    made = graph @ encoded.latent @ net.decoder
    expected = 10 * (made - model.x).square().mean()
    torch.testing.assert_close(losses["reconstruction"], expected, rtol=1e-3, atol=1e-3)
    torch.testing.assert_close(
        cosine, torch.cosine_similarity(made, model.x, dim=1), rtol=1e-3, atol=1e-4
    )
    n, nnz = 49, model.pairs.target.sum().item()
    assert model.norm == pytest.approx(n**2 / (2 * (n**2 - nnz)))


def test_only_spots_move_the_running_statistics():
    """MultiST, section 7.3: generated spots are normalised by their own and leave no trace."""
    norm, twin = SpotNorm(4), torch.nn.BatchNorm1d(4, eps=1e-3, momentum=0.01)
    x, noise = torch.randn(30, 4), 5 + torch.randn(30, 4)
    torch.testing.assert_close(norm(x), twin(x))
    before = norm.running_mean.clone()
    assert norm(noise, real=False).mean(dim=0).abs().max() < 1e-5
    torch.testing.assert_close(norm.running_mean, before)
    torch.testing.assert_close(norm.running_mean, twin.running_mean)
    assert torch.isfinite(norm(x[:1])).all()


def test_generated_spots_through_the_first_layer_at_once():
    """Section 6: the product of both matrices, with a gradient for the encoder's alone."""
    generator, weight = Generator(9, drawn()), torch.randn(9, 5, requires_grad=True)
    noise = torch.randn(20, 9)
    made = generator.projected(noise, weight)
    torch.testing.assert_close(made, generator(noise) @ weight)
    made.square().sum().backward()
    assert weight.grad.abs().sum() > 0
    assert all(w.grad is None for w in generator.parameters())


def test_token_is_added_to_masked_spots():
    """Section 2: masked rows see their components and the token, and train it."""
    model = build(tissue(6)[0])
    net, spots = model.network, torch.tensor([3, 8])
    with torch.no_grad():
        net.token.normal_()
    masked = net.masked(net.project(model.x)[0], spots)
    x = model.x.clone()
    x[spots] += net.token.detach()
    torch.testing.assert_close(masked, x @ net.first.weight, rtol=1e-3, atol=1e-3)
    torch.stack(list(model.pretrain_step(1).values())).sum().backward()
    assert net.token.grad.abs().sum() > 0
    plain = build(tissue(6)[0], "released")
    torch.stack(list(plain.pretrain_step(1).values())).sum().backward()
    assert plain.network.token.grad is None


def test_adversary_takes_turns():
    """Section 3: every fifth epoch; critic weights clipped; noise counts from the tenth."""
    model = build(tissue(6)[0])
    before = [w.detach().clone() for w in model.adversary.generator.parameters()]
    model.pretrain_step(1)
    unmoved = zip(before, model.adversary.generator.parameters(), strict=True)
    assert all(torch.equal(old, new) for old, new in unmoved)
    losses = model.pretrain_step(5)
    pairs = zip(before, model.adversary.generator.parameters(), strict=True)
    assert any(not torch.equal(old, new) for old, new in pairs)
    assert max(w.abs().max() for w in model.adversary.critic.parameters()) <= 0.01
    assert "adversarial" not in losses
    assert "adversarial" in model.pretrain_step(10)


@pytest.mark.parametrize("variant", ["described", "released"])
def test_noise_is_drawn_towards_spots_not_spots_to_noise(variant):
    """Section 3: the gradient of the distance is by the noise alone."""
    model = build(tissue(6)[0], variant)
    z, noise = (torch.randn(36, 32, requires_grad=True) for _ in range(2))
    model.distance(z, noise).backward()
    assert z.grad is None
    assert noise.grad.abs().sum() > 0


def test_centres_start_from_kmeans_of_the_embedding():
    """Section 3: ten, whatever the number of clusters; as many as spots where these are fewer."""
    model = build(tissue(8)[0])
    model.place_centres()
    assert model.network.centres.shape == (10, 32)
    assert len(torch.unique(model.network.centres, dim=0)) == 10
    few = build(tissue(2)[0])
    few.place_centres()
    assert few.network.centres.shape == (4, 32)
    same = dataclasses.replace(tissue(5)[0], counts=sp.csr_matrix(np.ones((25, 60), np.float32)))
    model = build(same)
    model.place_centres()
    assert torch.isfinite(model.network.centres).all()


@pytest.mark.parametrize("variant", ["described", "released"])
def test_order_of_spots_does_not_matter(monkeypatch, variant):
    """MultiST 13: without dropout, noise and negatives moved along, embeddings move along."""
    data, _ = tissue(8)
    jitter = np.random.default_rng(0).normal(0, 5, data.coordinates.shape)
    data = dataclasses.replace(data, coordinates=data.coordinates + jitter)
    order = np.random.default_rng(1).permutation(64)
    mixed = dataclasses.replace(
        data, counts=data.counts[order], coordinates=data.coordinates[order]
    )
    still = {"dropout": 0.0, "mask_rate": 0.0}
    negatives = draw_negatives(neighbor_graph(data, 12), np.random.default_rng(0))

    def trained(given: Data, order: np.ndarray) -> np.ndarray:
        model = build(given, variant, **still)
        moved = np.argsort(order)[negatives]
        model.pairs = pattern(neighbor_graph(given, 12), moved, "cpu")
        randn = torch.randn
        monkeypatch.setattr(torch, "randn", lambda *a, **k: randn(*a, **k)[torch.tensor(order)])
        training, optimiser = (
            Training(Job(0), 20, lambda: np.zeros(1)),
            adam_with_decay(model.network, model.params),
        )
        training.run(optimiser, model.pretrain_step, 15)
        with torch.no_grad():
            model.network.centres.normal_(generator=drawn())
        training.run(optimiser, model.cluster_step, 5)
        monkeypatch.undo()
        return model.latent().numpy()

    first, second = trained(data, np.arange(64)), trained(mixed, order)
    np.testing.assert_allclose(second, first[order], atol=2e-2 * np.abs(first).max())


def test_components_of_z_scores_without_logarithm():
    """Section 1: a million a spot over all kept genes, z-scores of the variable ones, no clip."""
    counts = tissue(9)[0].counts
    x = counts.toarray().astype(float)
    scaled = 1e6 * x / x.sum(axis=1, keepdims=True)
    scores = (scaled - scaled.mean(axis=0)) / scaled.std(axis=0, ddof=1)
    expected = principal_components(sp.csr_matrix(scores), 5)
    found = expression(counts, 50, 2000, 5)
    np.testing.assert_allclose(np.abs(found), np.abs(expected), rtol=1e-3, atol=1e-3)


def test_genes_of_few_spots_or_counts_are_dropped():
    """Section 1: 50 spots, then ten counts; of small tissues a fifth of the spots."""
    counts = np.zeros((400, 4), dtype=np.float32)
    counts[:, 0], counts[:60, 1], counts[:49, 2], counts[:100, 3] = 5, 1, 9, 1
    np.testing.assert_array_equal(genes_in_enough_spots(sp.csr_matrix(counts), 50), [0, 1, 3])
    few = sp.csr_matrix(counts[:9])
    np.testing.assert_array_equal(genes_in_enough_spots(few, 50), [0, 2])
    np.testing.assert_array_equal(genes_in_enough_spots(sp.csr_matrix(counts[:2, 1:2]), 50), [0])
