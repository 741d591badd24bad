"""Two graph streams that exchange information after every convolution, and the maps above them."""

from __future__ import annotations

from typing import NamedTuple

import torch
from torch import Tensor, nn
from torch.nn.functional import elu

from methods.shared.losses.zinb import ZinbDecoder
from methods.shared.nn.layers import Affine, uniform
from methods.shared.nn.sparse import TiledMatrix

from .view_attention import Scorer, Tokens

HIDDEN, WIDTH, TRUNK = 128, 64, 128


class Layer(NamedTuple):
    """One scale of all spots."""

    views: Tensor  # after the convolution: spatial, expression; spots x 2 x d
    fused: Tensor  # spots x d


class Network(nn.Module):
    """
    All weights.

    Weights of the two streams lie side by side in the order spatial, expression, so that the
    sparse features are multiplied once.

    Parameters
    ----------
    n_genes
        Columns of the features.
    fusion, inject
        Kind of attention (``scorer`` or ``token``) and what it hands on, see `inject`.
    scales
        The embedding is a map of the ``last`` layer's fused representation, or of ``all``.
    generator
        Draws the weights.
    """

    def __init__(
        self, n_genes: int, fusion: str, inject: str, scales: str, generator: torch.Generator
    ) -> None:
        super().__init__()
        kind = Scorer if fusion == "scorer" else Tokens
        self.scales = scales
        # graph convolutions start by the fan-out, affine maps as torch's by the fan-in
        self.first = uniform(n_genes, 2 * HIDDEN, fan=HIDDEN, generator=generator)
        self.first_bias = uniform(2 * HIDDEN, fan=HIDDEN, generator=generator)
        self.second = uniform(2, HIDDEN, WIDTH, fan=WIDTH, generator=generator)
        self.second_bias = uniform(2 * WIDTH, fan=WIDTH, generator=generator)
        self.attention = nn.ModuleList(kind(d, inject, generator) for d in (HIDDEN, WIDTH))
        self.out = Affine(HIDDEN + WIDTH if scales == "all" else WIDTH, WIDTH, generator)
        self.project_first = Affine(WIDTH, WIDTH, generator)
        self.project_last = Affine(WIDTH, WIDTH, generator)
        self.decoder = ZinbDecoder(WIDTH, TRUNK, n_genes, generator)

    def layers(
        self, features: TiledMatrix, near: TiledMatrix, alike: TiledMatrix
    ) -> tuple[Layer, Layer]:
        """Encode; A (X W) in every layer, so that only narrow arrays meet the graphs."""
        projected = (features @ self.first).split(HIDDEN, dim=1)
        hidden = torch.cat([near @ projected[0], alike @ projected[1]], dim=1)
        hidden = torch.relu_(hidden + self.first_bias).view(-1, 2, HIDDEN)
        fused, streams = self.attention[0](hidden)
        mixed = [streams[:, i] @ weight for i, weight in enumerate(self.second)]
        last = torch.cat([near @ mixed[0], alike @ mixed[1]], dim=1) + self.second_bias
        last = last.view(-1, 2, WIDTH)
        return Layer(hidden, fused), Layer(last, self.attention[1](last).fused)

    def embed(self, layers: tuple[Layer, Layer]) -> Tensor:
        """Map the fused representations to the embedding, spots x 64."""
        first, last = layers
        if self.scales == "last":
            return self.out(last.fused)
        return self.out(torch.cat([first.fused, last.fused], dim=1))

    def project(self, views: Tensor) -> Tensor:
        """Map views to where they are contrasted, spots x 2 x 64; one map for both."""
        return self.project_last(elu(self.project_first(views)))
