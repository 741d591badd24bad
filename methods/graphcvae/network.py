"""Residual graph encoder of a variational autoencoder, linear decoder, bilinear discriminator."""

from __future__ import annotations

from typing import NamedTuple

import torch
from torch import Tensor, nn
from torch.nn.functional import batch_norm, elu

from methods.shared.nn.layers import glorot
from methods.shared.nn.matmul import product
from methods.shared.nn.sparse import TiledMatrix

WIDTHS = (128, 256, 512)


def uniform(*shape: int, fan_in: int, generator: torch.Generator) -> nn.Parameter:
    """Draw as torch's linear layers do, from -1 to 1 over the root of the fan-in."""
    return nn.Parameter((2 * torch.rand(shape, generator=generator) - 1) / fan_in**0.5)


def affine(n_in: int, n_out: int, generator: torch.Generator) -> tuple[nn.Parameter, nn.Parameter]:
    """Draw weights, in x out, and bias of an affine map."""
    weight = uniform(n_in, n_out, fan_in=n_in, generator=generator)
    return weight, uniform(n_out, fan_in=n_in, generator=generator)


class BatchNorm(nn.BatchNorm1d):
    """Normalises over spots; a lone one, which has no deviation, by the running statistics."""

    def forward(self, x: Tensor) -> Tensor:
        """Normalise spots x d."""
        if len(x) > 1:
            return super().forward(x)
        return batch_norm(x, self.running_mean, self.running_var, self.weight, self.bias)


class Posterior(NamedTuple):
    """What the encoder leaves."""

    mean: Tensor  # spots x width
    logvar: Tensor  # spots x width
    hidden: Tensor  # spots x 512


class Projected(NamedTuple):
    """What both passes share: expression times all weights that are as tall as there are genes."""

    convolved: Tensor  # spots x 128, before the graph
    shortcut: Tensor  # spots x 128, without bias
    decoded: Tensor  # spots x width, against the decoder's rows
    through: Tensor  # 128 x 512, the second shortcut followed by the third


class Network(nn.Module):
    """
    All weights.

    The graph convolutions have no bias: the batch normalisation behind each takes it off again.

    Parameters
    ----------
    n_genes, width
        Of input and latent.
    generator
        Draws the weights.
    """

    def __init__(self, n_genes: int, width: int, generator: torch.Generator) -> None:
        super().__init__()
        sizes = list(zip((n_genes, *WIDTHS), WIDTHS, strict=False))
        self.convolutions = nn.ParameterList([glorot(*s, generator=generator) for s in sizes])
        pairs = [affine(*s, generator) for s in sizes]
        self.shortcuts = nn.ParameterList([weight for weight, _ in pairs])
        self.biases = nn.ParameterList([bias for _, bias in pairs])
        self.norms = nn.ModuleList([BatchNorm(size) for size in WIDTHS])
        heads = [glorot(WIDTHS[-1], width, generator=generator) for _ in range(2)]
        self.heads = nn.Parameter(torch.cat([head.data for head in heads], dim=1))
        self.head_norm = BatchNorm(2 * width)
        self.decoder, self.decoder_bias = affine(width, n_genes, generator)
        fans = (width * width, width)  # as torch counts them for a 1 x d x d bilinear form
        self.bilinear = glorot(width, width, generator=generator, scale=fans)
        self.bias = nn.Parameter(torch.zeros(()))

    def project(self, features: TiledMatrix) -> Projected:
        """Multiply expression by the three tall weight matrices at once."""
        first, shortcut = self.convolutions[0], self.shortcuts[0]
        widths = [WIDTHS[0], WIDTHS[0], len(self.decoder)]
        joined = features @ torch.cat([first, shortcut, self.decoder.T], dim=1)
        convolved, shortcut, decoded = joined.split(widths, dim=1)
        through = product(self.shortcuts[1], self.shortcuts[2])
        return Projected(convolved, shortcut, decoded, through)

    def encode(self, projected: Projected, graph: TiledMatrix) -> Posterior:
        """
        Encode spots from their projected expression.

        Parameters
        ----------
        projected
            Its rows permuted for the corrupted pass.
        graph
            Propagation.

        Notes
        -----
        The third shortcut starts from the second one, before its activation; both are linear in
        the first layer's output, so their product is applied to that at half the cost.
        """
        _, two, three = self.shortcuts
        bias = self.biases
        h = elu(self.norms[0](graph @ projected.convolved) + (projected.shortcut + bias[0]))
        second = product(h, two) + bias[1]
        third = product(h, projected.through) + (bias[1] @ three + bias[2])
        h = elu(self.norms[1](product(graph @ h, self.convolutions[1])) + second)
        h = elu(self.norms[2](product(graph @ h, self.convolutions[2])) + third)
        both = self.head_norm(graph @ product(h, self.heads))
        mean, logvar = both.chunk(2, dim=1)
        return Posterior(mean, logvar, h)

    def agreement(self, latent: Tensor, summary: Tensor) -> Tensor:
        """Return the discriminator's logit of every spot, h Q c + q."""
        return torch.linalg.vecdot(latent @ self.bilinear, summary) + self.bias
