"""Weights and affine maps, drawn from a generator."""

from __future__ import annotations

import torch
from torch import Tensor, nn
from torch.nn.functional import linear

SCORES = 16


def glorot(
    *shape: int, generator: torch.Generator, scale: tuple[int, int] | None = None
) -> nn.Parameter:
    """
    Draw a Glorot-uniform parameter.

    Parameters
    ----------
    shape
        Of the parameter.
    generator
        On the CPU, so that every device starts alike.
    scale
        Fan in and fan out; the last two sizes when None.
    """
    fan_in, fan_out = scale or shape[-2:]
    bound = (6 / (fan_in + fan_out)) ** 0.5
    drawn = torch.rand(shape, generator=generator)
    return nn.Parameter((2 * drawn - 1) * bound)


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
        return linear(x, self.weight.T, self.bias)


class ViewAttention(nn.Module):
    """
    Weigh the views of each spot by the softmax of scores ``q . tanh(V h + c)``.

    Parameters
    ----------
    width
        Of a view.
    generator
        Draws the weights.

    Notes
    -----
    Wang et al., Briefings in Bioinformatics 24, bbad262 (2023).
    """

    def __init__(self, width: int, generator: torch.Generator) -> None:
        super().__init__()
        self.score = Affine(width, SCORES, generator)
        self.query = uniform(SCORES, fan=SCORES, generator=generator)

    def weights(self, stack: Tensor) -> Tensor:
        """Return spots x views, rows summing to 1, for spots x views x d."""
        return torch.softmax(torch.tanh(self.score(stack)) @ self.query, dim=1)

    def blend(self, stack: Tensor) -> Tensor:
        """Average views by their weights, spots x views x d to spots x d."""
        return (self.weights(stack)[:, :, None] * stack).sum(dim=1)
