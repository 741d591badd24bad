"""First stage: two blocks on every spot's own components, two graph layers, a graph decoder."""

from __future__ import annotations

from collections.abc import Callable
from typing import NamedTuple

import torch
from torch import Tensor, nn
from torch.nn.functional import batch_norm, elu

from methods.shared.nn.dropout import draw_mask, dropped
from methods.shared.nn.layers import Affine, glorot
from methods.shared.nn.sparse import TiledMatrix

BLOCKS = (64, 16)
GRAPH = (64, 16)
LATENT = BLOCKS[1] + GRAPH[1]
MOMENTUM, EPS = 0.01, 1e-3


class Dropout:
    """
    Silences entries and scales up the rest, from a generator of its own.

    Parameters
    ----------
    rate
        Probability of a zero.
    generator
        Its device is that of the arrays.
    """

    def __init__(self, rate: float, generator: torch.Generator) -> None:
        self.rate, self.generator = rate, generator

    def __call__(self, x: Tensor) -> Tensor:
        """Drop entries of a table."""
        if not self.rate:
            return x
        return dropped(x, draw_mask((len(x), x.shape[1]), self.rate, self.generator))


def keep_all(x: Tensor) -> Tensor:
    """Drop nothing."""
    return x


class SpotNorm(nn.BatchNorm1d):
    """Normalises over spots; only real ones move the running statistics."""

    def __init__(self, width: int) -> None:
        super().__init__(width, eps=EPS, momentum=MOMENTUM)

    def forward(self, x: Tensor, real: bool = True) -> Tensor:
        """Normalise spots x d; a lone spot, which has no deviation, by the running statistics."""
        weights = (self.weight, self.bias)
        if self.training and len(x) > 1:
            running = (self.running_mean, self.running_var) if real else (None, None)
            return batch_norm(x, *running, *weights, True, MOMENTUM, EPS)
        return batch_norm(x, self.running_mean, self.running_var, *weights, False, MOMENTUM, EPS)


class Encoded(NamedTuple):
    """What the encoder leaves."""

    mean: Tensor  # of the graph layers, spots x 16
    latent: Tensor  # z: the second block's output and the mean, spots x 32


class Network(nn.Module):
    """
    All weights of the first stage.

    Parameters
    ----------
    n_in
        Components of a spot.
    n_centres
        Of the self-training.
    generator
        Draws the weights.
    """

    def __init__(self, n_in: int, n_centres: int, generator: torch.Generator) -> None:
        super().__init__()
        self.first = Affine(n_in, BLOCKS[0], generator)
        self.second = Affine(*BLOCKS, generator)
        self.norms = nn.ModuleList(SpotNorm(width) for width in BLOCKS)
        self.hidden = glorot(BLOCKS[1], GRAPH[0], generator=generator)
        self.out = glorot(*GRAPH, generator=generator)
        self.decoder = glorot(LATENT, n_in, generator=generator)
        self.token = nn.Parameter(torch.zeros(n_in))
        self.centres = nn.Parameter(torch.zeros(n_centres, LATENT))

    def project(self, x: Tensor) -> tuple[Tensor, Tensor]:
        """Multiply components by the first block's weights and the decoder's rows at once."""
        joined = x @ torch.cat([self.first.weight, self.decoder.T], dim=1)
        projected, against = joined.split([BLOCKS[0], LATENT], dim=1)
        return projected, against

    def masked(self, projected: Tensor, spots: Tensor) -> Tensor:
        """Add the token to some spots' components."""
        rows = (self.token @ self.first.weight).expand(len(spots), -1)
        return projected.index_add(0, spots, rows)

    def encode(
        self,
        projected: Tensor,
        graph: TiledMatrix,
        drop: Callable[[Tensor], Tensor] = keep_all,
        real: bool = True,
    ) -> Encoded:
        """
        Embed spots.

        Parameters
        ----------
        projected
            Components times the first block's weights, spots x 64.
        graph
            Propagation, symmetric, spots x spots.
        drop
            Dropout.
        real
            Whether these are spots of the tissue, whose statistics are to be remembered.
        """
        f = drop(elu(self.norms[0](projected + self.first.bias, real)))
        f = drop(elu(self.norms[1](self.second(f), real)))
        h = torch.relu((graph @ drop(f)) @ self.hidden)
        mean = graph @ (drop(h) @ self.out)
        return Encoded(mean, torch.cat([f, mean], dim=1))
