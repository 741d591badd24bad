"""The decoder of graph encoders: a standardised trunk below zero-inflated binomial heads."""

from __future__ import annotations

import torch
from torch import Tensor, nn

from methods.shared.zinb import ZinbTarget, zinb_heads

BATCH_EPS = 1e-5


def uniform(*shape: int, fan: int, generator: torch.Generator) -> nn.Parameter:
    """Draw a parameter from -1 to 1 over the root of `fan`."""
    return nn.Parameter((2 * torch.rand(shape, generator=generator) - 1) / fan**0.5)


class Affine(nn.Module):
    """
    Linear map with bias, drawn as torch's.

    Parameters
    ----------
    n_in, n_out
        Widths.
    generator
        Draws the weights.
    """

    def __init__(self, n_in: int, n_out: int, generator: torch.Generator) -> None:
        super().__init__()
        self.weight = uniform(n_in, n_out, fan=n_in, generator=generator)
        self.bias = uniform(n_out, fan=n_in, generator=generator)

    def forward(self, x: Tensor) -> Tensor:
        """Map ... x n_in to ... x n_out."""
        return x @ self.weight + self.bias


class ZinbDecoder(nn.Module):
    """
    Explain expression from an embedding: linear, batch normalisation, ReLU, three heads.

    Parameters
    ----------
    n_in, width, n_genes
        Of the embedding, of the trunk, of the expression.
    generator
        Draws the weights.
    """

    def __init__(self, n_in: int, width: int, n_genes: int, generator: torch.Generator) -> None:
        super().__init__()
        self.trunk = Affine(n_in, width, generator)
        self.scale = nn.Parameter(torch.ones(width))
        self.shift = nn.Parameter(torch.zeros(width))
        self.head = uniform(3, n_genes, width, fan=width, generator=generator)  # pi, theta, mu
        self.head_bias = uniform(3, n_genes, fan=width, generator=generator)

    def hidden(self, z: Tensor) -> Tensor:
        """Return the trunk, standardised over all cells, cells x width."""
        x = self.trunk(z)
        x = x - x.mean(dim=0)
        deviation = torch.sqrt(x.square().mean(dim=0) + BATCH_EPS)  # far faster than torch.var
        return torch.relu_(x * (self.scale / deviation) + self.shift)

    def loss(self, z: Tensor, target: ZinbTarget) -> Tensor:
        """Return the mean negative log-likelihood of the target."""
        return zinb_heads(self.hidden(z), self.head, self.head_bias, target)
