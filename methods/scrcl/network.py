"""Weights of scRCL's two encoders, its projector and its gene encoder."""

from __future__ import annotations

import torch
from torch import nn

from methods.shared.nn.layers import glorot, uniform


class Network(nn.Module):
    """
    Weights of the two encoders, the projector and the gene encoder.

    Parameters
    ----------
    shape
        Cells and genes; the gene encoder has one row of weights per cell.
    width, refined
        Of the views, and of the refined views.
    generator
        Draws the weights.
    """

    def __init__(
        self, shape: tuple[int, int], width: int, refined: int, generator: torch.Generator
    ) -> None:
        super().__init__()
        cells, genes = shape
        self.mlp = uniform(genes, width, fan=genes, generator=generator)
        self.mlp_bias = uniform(width, fan=genes, generator=generator)
        self.first = glorot(genes, width, generator=generator)
        self.first_bias = nn.Parameter(torch.zeros(width))
        self.second = glorot(width, width, generator=generator)
        self.second_bias = nn.Parameter(torch.zeros(width))
        self.last = uniform(width, width, fan=width, generator=generator)
        self.last_bias = uniform(width, fan=width, generator=generator)
        self.projector = uniform(width, genes, fan=width, generator=generator)
        self.projector_bias = uniform(genes, fan=width, generator=generator)
        self.genes = glorot(cells, refined, generator=generator)
        self.genes_bias = nn.Parameter(torch.zeros(refined))
