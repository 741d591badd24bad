"""How two views of the same spots exchange information after a graph convolution."""

from __future__ import annotations

from typing import NamedTuple

import torch
from torch import Tensor, nn

from methods.shared.nn.layers import ViewAttention, uniform


class Exchange(NamedTuple):
    """What a layer makes of both views."""

    fused: Tensor  # spots x d
    streams: Tensor  # what goes on into the next convolutions, spots x 2 x d


def inject(stack: Tensor, fused: Tensor, mode: str) -> Tensor:
    """
    Put the fused representation into both streams.

    Parameters
    ----------
    stack
        Views, spots x 2 x d.
    fused
        spots x d.
    mode
        ``residual``: halfway between a view and the fused one; ``replace``: the fused one twice;
        ``none``: the views as they are.
    """
    both = fused[:, None, :]
    if mode == "residual":
        return (stack + both) / 2
    return both.expand_as(stack) if mode == "replace" else stack


class Scorer(ViewAttention):
    """
    Blend the views of each spot by their scores.

    Parameters
    ----------
    width
        Of a view.
    mode
        See `inject`.
    generator
        Draws the weights.
    """

    def __init__(self, width: int, mode: str, generator: torch.Generator) -> None:
        super().__init__(width, generator)
        self.mode = mode

    def forward(self, stack: Tensor) -> Exchange:
        """Blend views, spots x 2 x d."""
        fused = self.blend(stack)
        return Exchange(fused, inject(stack, fused, self.mode))


class Tokens(nn.Module):
    """
    Single-head attention between the two views of each spot, 2 x 2 scores a spot.

    The mean of both results is the fused representation; with mode ``residual`` the results
    themselves are the streams.

    Parameters
    ----------
    width
        Of a view.
    mode
        See `inject`.
    generator
        Draws the weights.

    Notes
    -----
    Vaswani et al., arXiv 1706.03762, equation 1, on a sequence of two.
    """

    def __init__(self, width: int, mode: str, generator: torch.Generator) -> None:
        super().__init__()
        self.mode = mode
        self.maps = uniform(3, width, width, fan=width, generator=generator)  # query, key, value

    def weights(self, stack: Tensor) -> Tensor:
        """Return spots x 2 x 2, rows summing to 1."""
        query, key = stack @ self.maps[0], stack @ self.maps[1]
        return torch.softmax(query @ key.mT / stack.shape[2] ** 0.5, dim=2)

    def forward(self, stack: Tensor) -> Exchange:
        """Let each view look at both, spots x 2 x d."""
        mixed = self.weights(stack) @ (stack @ self.maps[2])
        fused = mixed.mean(dim=1)
        return Exchange(
            fused, mixed if self.mode == "residual" else inject(stack, fused, self.mode)
        )
