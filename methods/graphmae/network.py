"""Layers of GraphMAE, and which cells are masked."""

from __future__ import annotations

from typing import NamedTuple

import torch
from torch import Tensor
from torch.nn import Dropout, Linear, PReLU
from torch_geometric.nn import GCNConv


class Mask(NamedTuple):
    """Cells whose features are hidden from the encoder."""

    hidden: Tensor  # all of them; these are reconstructed
    noise: Tensor  # the first of them, which get the features of other cells
    donors: Tensor  # those others


def draw_mask(n_cells: int, rate: float, replace: float, device: str | torch.device) -> Mask:
    """
    Draw a mask by torch's own generator on the CPU, see `seeded_torch`.

    Parameters
    ----------
    n_cells
        Cells.
    rate
        Share of the cells that is hidden, at least one of them.
    replace
        Share of the hidden cells that get the features of a random cell, not the token.
    device
        Torch device.
    """
    hidden = torch.randperm(n_cells)[: max(int(rate * n_cells), 1)].to(device)
    count = int(replace * len(hidden))
    return Mask(hidden, hidden[:count], torch.randperm(n_cells)[:count].to(device))


class Network(torch.nn.Module):
    """
    Encoder of two graph convolutions, linear map, and decoder of one.

    Parameters
    ----------
    n_components
        Features of a cell.
    width
        Units of every layer.
    dropout
        Rate before every graph convolution.
    """

    def __init__(self, n_components: int, width: int, dropout: float) -> None:
        super().__init__()
        self.token = torch.nn.Parameter(torch.zeros(n_components))
        self.dropout = Dropout(dropout)
        self.conv1, self.prelu1 = GCNConv(n_components, width, cached=True), PReLU()
        self.conv2, self.prelu2 = GCNConv(width, width, cached=True), PReLU()
        self.bridge = Linear(width, width, bias=False)
        self.decoder = GCNConv(width, n_components, cached=True)

    def encode(self, x: Tensor, adjacency: Tensor) -> Tensor:
        """Embed all cells, cells x width."""
        x = self.prelu1(self.conv1(self.dropout(x), adjacency))
        return self.prelu2(self.conv2(self.dropout(x), adjacency))

    def forward(self, x: Tensor, adjacency: Tensor, mask: Mask) -> Tensor:
        """Reconstruct the features of the hidden cells, hidden x components."""
        seen = x.index_put((mask.hidden,), self.token)
        seen = seen.index_put((mask.noise,), x[mask.donors])
        latent = self.bridge(self.encode(seen, adjacency))
        latent = latent.index_fill(0, mask.hidden, 0.0)
        return self.decoder(self.dropout(latent), adjacency)[mask.hidden]
