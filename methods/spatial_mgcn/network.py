"""Three graph encoders, attention over their views, and the trunk of the decoder."""

from __future__ import annotations

from typing import NamedTuple

import torch
from torch import Tensor, nn

from methods.shared.losses.zinb import ZinbDecoder
from methods.shared.nn.layers import Affine, ViewAttention, uniform
from methods.shared.nn.sparse import TiledMatrix

HIDDEN, WIDTH, TRUNK = 128, 64, 128


class Views(NamedTuple):
    """Embeddings of all spots, spots x 64 each."""

    spatial: Tensor
    shared_spatial: Tensor  # of the encoder that sees both graphs, on the spatial one
    shared_expression: Tensor
    expression: Tensor

    def stack(self) -> Tensor:
        """Return what attention weighs, spots x 3 x 64: spatial, shared, expression."""
        shared = (self.shared_spatial + self.shared_expression) / 2
        return torch.stack([self.spatial, shared, self.expression], dim=1)


class Network(nn.Module):
    """
    All weights.

    Weights of the three encoders lie side by side in the order spatial, shared, expression, so
    that the sparse features and each graph are multiplied once a layer.

    Parameters
    ----------
    n_genes
        Columns of the features.
    generator
        Draws the weights.
    """

    def __init__(self, n_genes: int, generator: torch.Generator) -> None:
        super().__init__()

        def draw(*shape: int, fan: int) -> nn.Parameter:
            return uniform(*shape, fan=fan, generator=generator)

        # graph convolutions start by the fan-out, affine maps as torch's by the fan-in
        self.first = draw(n_genes, 3 * HIDDEN, fan=HIDDEN)
        self.first_bias = draw(3 * HIDDEN, fan=HIDDEN)
        self.second = draw(3, HIDDEN, WIDTH, fan=WIDTH)
        self.second_bias = draw(3 * WIDTH, fan=WIDTH)
        self.attention = ViewAttention(WIDTH, generator)
        self.out = Affine(WIDTH, WIDTH, generator)
        self.decoder = ZinbDecoder(WIDTH, TRUNK, n_genes, generator)

    def views(self, features: TiledMatrix, near: TiledMatrix, alike: TiledMatrix) -> Views:
        """Encode; A (X W) in every layer, so that only narrow arrays meet the graphs."""
        projected = features @ self.first
        pair = 2 * HIDDEN
        spatial = self.convolve(projected[:, :pair], near, 0)
        expression = self.convolve(projected[:, HIDDEN:], alike, 1)
        return Views(*spatial.split(WIDTH, dim=1), *expression.split(WIDTH, dim=1))

    def convolve(self, projected: Tensor, graph: TiledMatrix, start: int) -> Tensor:
        """Run encoders `start` and `start + 1` on one graph, spots x 256 to spots x 128."""
        hidden_bias = self.first_bias[start * HIDDEN : (start + 2) * HIDDEN]
        hidden = torch.relu_(graph @ projected + hidden_bias)
        halves = zip(hidden.split(HIDDEN, dim=1), self.second[start : start + 2], strict=True)
        mixed = torch.cat([half @ weight for half, weight in halves], dim=1)
        return graph @ mixed + self.second_bias[start * WIDTH : (start + 2) * WIDTH]

    def embed(self, views: Views) -> Tensor:
        """Blend the views, spots x 64."""
        return self.out(self.attention.blend(views.stack()))
