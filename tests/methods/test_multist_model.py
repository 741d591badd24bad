"""MultiST's first stage, network and steps, against its equations with dense arrays."""

from __future__ import annotations

import dataclasses

import numpy as np
import pytest
import scipy.sparse as sp
import torch
from scipy.stats import entropy
from torch.nn.functional import binary_cross_entropy_with_logits, elu

from methods.contract import Data, Job
from methods.multist.adversary import Critic, Generator, kernel_distance
from methods.multist.inputs import neighbor_graph
from methods.multist.losses import draw_negatives, labelled_pairs
from methods.multist.model import Model
from methods.multist.network import Network, SpotNorm
from methods.shared.graphs.weights import normalized_adjacency
from methods.shared.losses.self_training import sharpened_target, student_assignments
from methods.shared.training.loop import Training, adam_with_decay
from tests.methods.test_multist_adversary import drawn
from tests.methods.toys import params, tissue


def build(data: Data, variant: str = "described", **changes) -> Model:
    return Model(data, params("multist", variant, **changes), Job(0, 3))


def count(module: torch.nn.Module) -> int:
    return sum(weight.numel() for weight in module.parameters())


def test_networks_have_the_weights_of_their_layers():
    """23,032 of the autoencoder, 51,528 of the generator, 34,049 of the critic."""
    assert count(Network(200, 10, drawn())) == 23_032
    assert count(Generator(200, drawn())) == 51_528
    assert count(Critic(200, drawn())) == 34_049


def test_encoder_and_decoder_as_with_dense_arrays():
    """The equations written out, with the running statistics."""
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
    """Generated spots are normalised by their own and leave no trace."""
    norm, twin = SpotNorm(4), torch.nn.BatchNorm1d(4, eps=1e-3, momentum=0.01)
    x, noise = torch.randn(30, 4), 5 + torch.randn(30, 4)
    torch.testing.assert_close(norm(x), twin(x))
    before = norm.running_mean.clone()
    assert norm(noise, real=False).mean(dim=0).abs().max() < 1e-5
    torch.testing.assert_close(norm.running_mean, before)
    torch.testing.assert_close(norm.running_mean, twin.running_mean)
    assert torch.isfinite(norm(x[:1])).all()


def test_token_is_added_to_masked_spots():
    """Masked rows see their components and the token, and train it."""
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


@pytest.mark.parametrize("variant", ["described", "released"])
@pytest.mark.parametrize("phase", ["pretrain_step", "cluster_step"])
def test_adversary_takes_turns(phase, variant):
    """Every fifth epoch of pretraining and of self-training; critic weights are clipped."""
    model = build(tissue(6)[0], variant)
    before = [w.detach().clone() for w in model.adversary.generator.parameters()]
    for epoch, moves in ((1, False), (4, False), (5, True)):
        getattr(model, phase)(epoch)
        pairs = zip(before, model.adversary.generator.parameters(), strict=True)
        assert any(not torch.equal(old, new) for old, new in pairs) is moves
    assert max(w.abs().max() for w in model.adversary.critic.parameters()) <= 0.01


def test_noise_counts_from_the_tenth_epoch():
    model = build(tissue(6)[0])
    assert "adversarial" not in model.pretrain_step(9)
    assert "adversarial" in model.pretrain_step(10)


@pytest.mark.parametrize("variant", ["described", "released"])
def test_noise_is_drawn_towards_spots_not_spots_to_noise(variant):
    """The gradient of the distance is by the noise alone."""
    model = build(tissue(6)[0], variant)
    z, noise = (torch.randn(36, 32, requires_grad=True) for _ in range(2))
    model.distance(z, noise).backward()
    assert z.grad is None
    assert noise.grad.abs().sum() > 0


def test_centres_start_from_kmeans_of_the_embedding():
    """Ten, whatever the number of clusters; as many as spots where these are fewer."""
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
    """Without dropout, noise and negatives moved along, embeddings move along."""
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
        model.pairs = labelled_pairs(neighbor_graph(given, 12), moved, "cpu")
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


class Dense:
    """The first stage with dense arrays, every spot's statistics its own."""

    def __init__(self, model: Model, data: Data) -> None:
        self.model, self.net = model, model.network
        self.graph = torch.tensor(normalized_adjacency(neighbor_graph(data, 12)).toarray())

    def encode(self, x: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
        """Return the mean and the latent."""
        net, f = self.net, x
        for layer, norm in ((net.first, net.norms[0]), (net.second, net.norms[1])):
            f = f @ layer.weight + layer.bias
            f = (f - f.mean(dim=0)) / torch.sqrt(f.var(dim=0, correction=0) + 1e-3)
            f = elu(f * norm.weight + norm.bias)
        mean = self.graph @ torch.relu(self.graph @ f @ net.hidden) @ net.out
        return mean, torch.cat([f, mean], dim=1)

    def common(self, x: torch.Tensor) -> tuple[torch.Tensor, dict[str, torch.Tensor], torch.Tensor]:
        """Return the latent of given rows, the losses of both phases and the reconstruction."""
        mean, z = self.encode(x)
        made, pairs = self.graph @ z @ self.net.decoder, self.model.pairs
        logits = (z[pairs.rows] * z[pairs.columns]).sum(dim=1)
        entropy = self.model.norm * binary_cross_entropy_with_logits(logits, pairs.target)
        losses = {
            "reconstruction": 10 * (made - self.model.x).square().mean(),
            "graph": 0.1 * (entropy + mean.square().sum(dim=1).mean() / (2 * len(x))),
        }
        return z, losses, made

    def distance(self, z: torch.Tensor, noise: torch.Tensor) -> torch.Tensor:
        """Compare all spots with all noise."""
        kernel = self.model.params.mmd == "kernel"
        return kernel_distance(z, noise) if kernel else (z.mean(0) - noise.mean(0)).square().mean()


def twin(generator: torch.Generator) -> torch.Generator:
    """Return a generator that draws what this one is about to draw."""
    return torch.Generator().set_state(generator.get_state())


def same_losses(found: dict, expected: dict) -> None:
    assert set(found) == set(expected)
    for name, loss in expected.items():
        assert found[name].item() == pytest.approx(loss.item(), rel=2e-3, abs=1e-5), name


@pytest.mark.parametrize("variant", ["described", "released"])
def test_pretraining_is_that_of_the_equations(variant):
    """Losses and weights, masked spots, noise that leaves no trace."""
    data, _ = tissue(7)
    model = build(data, variant, dropout=0.0)
    reference, net = Dense(model, data), model.network
    with torch.no_grad():
        net.token.normal_(generator=drawn())
    x, rows = model.x.clone(), torch.arange(49)
    if variant == "described":
        rows = torch.randperm(49, generator=twin(model.masks))[:39]
        x[rows] += net.token.detach()
    z, expected, made = reference.common(x)
    cosine = torch.cosine_similarity(made, model.x, dim=1)[rows]
    noise = model.adversary.generator(torch.randn(x.shape, generator=twin(model.noise)))
    generated = reference.encode(noise)[1]
    distance = reference.distance(z, generated)
    expected = {**expected, "cosine": (1 - cosine).pow(3).mean(), "adversarial": 0.3 * distance}
    same_losses(model.pretrain_step(11), expected)
    hidden = x @ net.first.weight + net.first.bias
    torch.testing.assert_close(net.norms[0].running_mean, 0.01 * hidden.mean(dim=0))


@pytest.mark.parametrize("variant", ["described", "released"])
def test_self_training_is_that_of_the_equations(variant):
    """KL(p, q) and KL(q, q') over ten centres; the target is kept for 20 steps."""
    data, _ = tissue(7)
    model = build(data, variant, dropout=0.0)
    reference = Dense(model, data)
    model.pretrain_step(0)  # running statistics, which the target is computed with
    model.place_centres()
    centres = model.network.centres
    target = sharpened_target(student_assignments(model.latent(), centres.detach()))
    z, expected, _ = reference.common(model.x)
    noise = model.adversary.generator(torch.randn(model.x.shape, generator=twin(model.noise)))
    generated = reference.encode(noise)[1]
    p, q, other = (
        t.detach().numpy().astype(float)
        for t in (target, student_assignments(z, centres), student_assignments(generated, centres))
    )
    consistency = entropy(q, other, axis=1).mean() / 10
    distance = reference.distance(z, generated)
    expected["clustering"] = torch.tensor(entropy(p, q, axis=1).mean() / 10)
    expected["adversarial"] = 0.3 * (consistency + distance)
    same_losses(model.cluster_step(1), expected)  # between two turns of the adversary
    torch.testing.assert_close(model.target, target)
    with torch.no_grad():
        centres.add_(torch.randn(centres.shape, generator=drawn()))
    model.cluster_step(19)
    torch.testing.assert_close(model.target, target)
    model.cluster_step(20)
    assert not torch.allclose(model.target, target, atol=1e-3)
