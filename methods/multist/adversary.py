"""Noise that is to look like spots: generator, critic, and distances between the two."""

from __future__ import annotations

import torch
from torch import Tensor, nn

from methods.shared.nn.layers import Affine

HIDDEN = 128
CRITIC = (128, 64)
RATE = 1e-4
CLIP = 0.01
MMD = 0.2
SAMPLE = 512


class Generator(nn.Module):
    """
    Noise to components of a spot.

    Parameters
    ----------
    width
        Of noise and components.
    generator
        Draws the weights.
    """

    def __init__(self, width: int, generator: torch.Generator) -> None:
        super().__init__()
        self.first = Affine(width, HIDDEN, generator)
        self.second = Affine(HIDDEN, width, generator)

    def forward(self, noise: Tensor) -> Tensor:
        """Generate spots x width."""
        return self.second(torch.relu(self.first(noise)))

    def projected(self, noise: Tensor, weight: Tensor) -> Tensor:
        """Multiply generated spots by a matrix, without a gradient for the generator.

        The second layer is linear, so the product of both matrices is applied to the first.
        """
        with torch.no_grad():
            hidden = torch.relu(self.first(noise))
        second = self.second
        return hidden @ (second.weight.detach() @ weight) + second.bias.detach() @ weight

    def fisher_vectors(self, x: Tensor) -> Tensor:
        """Return the gradient of the summed output by each row of x, spots x width."""
        active = (self.first(x) > 0).to(x.dtype)
        return (active * self.second.weight.sum(dim=1)) @ self.first.weight.T

    def mean_fisher(self, x: Tensor) -> Tensor:
        """Average `fisher_vectors` over rows at the cost of one row; differentiable in weights."""
        active = (self.first(x) > 0).to(x.dtype).mean(dim=0)
        return self.first.weight @ (active * self.second.weight.sum(dim=1))

    def fisher_distance(self, x: Tensor, y: Tensor) -> Tensor:
        """
        Compare two sets of rows by the linear kernel of their Fisher vectors.

        ``mean K_xx + mean K_yy - 2 mean K_xy`` is the squared distance of the mean vectors.
        """
        return (self.mean_fisher(x) - self.mean_fisher(y)).square().sum()


class Critic(nn.Module):
    """
    Components of a spot to a score.

    Parameters
    ----------
    width
        Of the components.
    generator
        Draws the weights.
    """

    def __init__(self, width: int, generator: torch.Generator) -> None:
        super().__init__()
        self.first = Affine(width, CRITIC[0], generator)
        self.second = Affine(*CRITIC, generator)
        self.out = Affine(CRITIC[1], 1, generator)

    def forward(self, x: Tensor) -> Tensor:
        """Score rows, spots x 1."""
        return self.out(torch.relu(self.second(torch.relu(self.first(x)))))


class Adversary:
    """
    Generator and critic, trained against each other beside the autoencoder.

    Parameters
    ----------
    width
        Components of a spot.
    fisher
        Whether the generator also follows the Fisher distance.
    generator
        Draws the weights.
    device
        Torch device.

    Notes
    -----
    Arjovsky et al., arXiv 1701.07875: Wasserstein critic with clipped weights.
    """

    def __init__(self, width: int, fisher: bool, generator: torch.Generator, device: str) -> None:
        self.fisher = fisher
        self.generator = Generator(width, generator).to(device)
        self.critic = Critic(width, generator).to(device)
        self.generator_optimiser = torch.optim.RMSprop(self.generator.parameters(), lr=RATE)
        self.critic_optimiser = torch.optim.RMSprop(self.critic.parameters(), lr=RATE)

    def step(self, x: Tensor, noise: Tensor) -> None:
        """Update the critic, then the generator."""
        with torch.no_grad():
            made = self.generator(noise)
        self.critic_optimiser.zero_grad()
        (self.critic(made).mean() - self.critic(x).mean()).backward()
        self.critic_optimiser.step()
        with torch.no_grad():
            for weight in self.critic.parameters():
                weight.clamp_(-CLIP, CLIP)
        self.generator_optimiser.zero_grad()
        made = self.generator(noise)
        loss = -self.critic(made).mean()
        if self.fisher:
            loss = loss + MMD * self.generator.fisher_distance(x, made)
        loss.backward()
        self.generator_optimiser.step()


def mean_distance(z: Tensor, noise: Tensor) -> Tensor:
    """Return the mean square of the difference between two mean rows."""
    return (z.mean(dim=0) - noise.mean(dim=0)).square().mean()


def kernel_distance(z: Tensor, noise: Tensor) -> Tensor:
    """
    Return the squared maximum mean discrepancy of two sets of rows, Gaussian kernel.

    Parameters
    ----------
    z, noise
        Rows, n x d each, some hundred at most. The bandwidth is the mean squared distance
        between a row of one and a row of the other.

    Notes
    -----
    Gretton et al., JMLR 13, 723 (2012).
    """
    across = _squares(z, noise)
    width = across.detach().mean().clamp_min(1e-12)
    pairs = (_squares(z, z), _squares(noise, noise), across)
    own, others, between = (torch.exp(-square / width).mean() for square in pairs)
    return own + others - 2 * between


def _squares(a: Tensor, b: Tensor) -> Tensor:
    """Return squared distances, n x m."""
    lengths = a.square().sum(dim=1)[:, None] + b.square().sum(dim=1)
    return (lengths - 2 * a @ b.T).clamp_min(0)
