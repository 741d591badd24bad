"""MultiST's generator and critic: distances, turns, gradients."""

from __future__ import annotations

import torch

from methods.multist.adversary import Adversary, Generator, kernel_distance, mean_distance


def drawn(seed: int = 0) -> torch.Generator:
    return torch.Generator().manual_seed(seed)


def test_fisher_vectors_and_their_distance_are_those_of_autograd():
    """Kernel form, mean vectors and automatic differentiation agree on 50 spots."""
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


def test_mean_distance_by_hand_and_kernel_distance_sees_spread():
    """Mean distance by hand; the kernel's sees a spread that means do not."""
    z, noise = torch.randn(200, 32), torch.randn(200, 32)
    expected = ((z.mean(0) - noise.mean(0)) ** 2).sum() / 32
    torch.testing.assert_close(mean_distance(z, noise), expected)
    assert kernel_distance(z, z).abs() < 1e-6
    wide = 3 * (z - z.mean(0)) + z.mean(0)
    assert mean_distance(z, wide) < 1e-10
    assert kernel_distance(z, wide) > 10 * kernel_distance(z, z[torch.randperm(200)]).abs()
    for n in (1, 3):
        assert kernel_distance(torch.zeros(n, 4), torch.zeros(n, 4)) == 0


def test_generated_spots_through_the_first_layer_at_once():
    """The product of both matrices, with a gradient for the encoder's alone."""
    generator, weight = Generator(9, drawn()), torch.randn(9, 5, requires_grad=True)
    noise = torch.randn(20, 9)
    made = generator.projected(noise, weight)
    torch.testing.assert_close(made, generator(noise) @ weight)
    made.square().sum().backward()
    assert weight.grad.abs().sum() > 0
    assert all(w.grad is None for w in generator.parameters())


def test_critic_and_generator_pull_apart_and_together():
    """The critic scores spots above noise, the generator raises the noise's."""
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
