"""Linear encoder and decoder around the graph, and the discriminator of local summaries."""

from __future__ import annotations

import torch
from torch import nn

from methods.shared.nn.layers import glorot


class Network(nn.Module):
    """Linear encoder and decoder around the graph, and the bilinear discriminator."""

    def __init__(self, n_genes: int, width: int, generator: torch.Generator) -> None:
        super().__init__()
        self.encoder = glorot(n_genes, width, generator=generator)
        self.decoder = glorot(width, n_genes, generator=generator)
        fans = (width * width, width)  # as torch counts them for a 1 x d x d bilinear form
        self.bilinear = glorot(width, width, generator=generator, scale=fans)
        self.bias = nn.Parameter(torch.zeros(()))
