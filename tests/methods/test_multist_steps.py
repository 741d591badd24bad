"""MultiST's first stage step by step: both phases and the adversary against their equations."""

from __future__ import annotations

import pytest
import torch
from scipy.stats import entropy
from torch.nn.functional import binary_cross_entropy_with_logits, elu

from methods.contract import Data
from methods.multist.adversary import Adversary, kernel_distance
from methods.multist.inputs import neighbor_graph
from methods.multist.model import Model
from methods.shared.graphs.weights import normalized_adjacency
from methods.shared.losses.self_training import sharpened_target, student_assignments
from tests.methods.test_multist import build, drawn
from tests.methods.toys import tissue


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
    """MultiST, sections 2 and 3: losses and weights, masked spots, noise that leaves no trace."""
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
    """MultiST, section 3: KL(p, q) and KL(q, q') over ten centres, the target kept 20 steps."""
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
    same_losses(model.cluster_step(0), expected)
    torch.testing.assert_close(model.target, target)
    with torch.no_grad():
        centres.add_(torch.randn(centres.shape, generator=drawn()))
    model.cluster_step(19)
    torch.testing.assert_close(model.target, target)
    model.cluster_step(20)
    assert not torch.allclose(model.target, target, atol=1e-3)


def test_critic_and_generator_pull_apart_and_together():
    """MultiST, section 3: the critic scores spots above noise, the generator raises the noise's."""
    x, noise = 3 + torch.randn(40, 6, generator=drawn()), torch.randn(40, 6, generator=drawn(1))

    def after(steps: int, fisher: bool, **rates: float) -> Adversary:
        adversary = Adversary(6, fisher, drawn(2), "cpu")
        adversary.generator_optimiser.param_groups[0]["lr"] = rates.get("generator", 0.0)
        adversary.critic_optimiser.param_groups[0]["lr"] = rates.get("critic", 0.0)
        for _ in range(steps):
            adversary.step(x, noise)
        return adversary

    def gap(adversary: Adversary) -> float:
        critic, made = adversary.critic, adversary.generator(noise)
        return (critic(x).mean() - critic(made).mean()).item()

    assert gap(after(20, False, critic=1e-3)) > gap(after(1, False)) + 1e-6
    assert gap(after(20, False, generator=1e-3)) < gap(after(1, False)) - 1e-6

    def fisher_distance(adversary: Adversary) -> float:
        generator = adversary.generator
        return generator.fisher_distance(x, generator(noise)).item()

    plain, followed = (fisher_distance(after(30, f, generator=1e-3)) for f in (False, True))
    assert followed < 0.9 * plain
