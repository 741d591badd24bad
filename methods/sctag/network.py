"""Encoder of topology-adaptive convolutions, graph decoder and expression decoder."""

from __future__ import annotations

from itertools import pairwise

import torch
from torch import Tensor, nn

from methods.contract import Params
from methods.shared.losses.zinb import ZinbTarget, zinb_heads
from methods.shared.nn.layers import glorot
from methods.shared.nn.sparse import SparseMatrix

from .losses import GraphLoss

WEIGHTS = {"graph": 0.3, "zinb": 1.0, "clustering": 1.5}


class Features:
    """
    Constant input features kept as sparse + offset, multiplied by weights exactly.

    Parameters
    ----------
    sparse
        cells x genes.
    offset
        Row added to every cell, genes.
    """

    def __init__(self, sparse: SparseMatrix, offset: Tensor) -> None:
        self.sparse = sparse
        self.offset = offset

    def __matmul__(self, weight: Tensor) -> Tensor:
        """Multiply by genes x d."""
        return self.sparse @ weight + self.offset @ weight


class TagConv(nn.Module):
    """
    Topology-adaptive convolution: sum over k of A^k X W_k + b.

    Evaluated in Horner form, so that only arrays as wide as the output are multiplied by A.

    Parameters
    ----------
    n_in, n_out
        Widths.
    hops
        Highest power of A.
    repeat
        True computes X W_0 + A X (W_1 + ... + W_hops) + b instead: one hop, repeated.
    generator
        Draws the weights.

    Notes
    -----
    Du et al., arXiv 1710.10370. The stack of all W_k is one Glorot matrix, as in Spektral.
    """

    def __init__(
        self, n_in: int, n_out: int, hops: int, repeat: bool, generator: torch.Generator
    ) -> None:
        super().__init__()
        fans = (n_in * (hops + 1), n_out)
        self.weight = glorot(hops + 1, n_in, n_out, generator=generator, scale=fans)
        self.bias = nn.Parameter(torch.zeros(n_out))
        self.repeat = repeat

    def forward(self, x: Tensor | Features, graph: SparseMatrix) -> Tensor:
        """Convolve cells x n_in to cells x n_out."""
        weight: Tensor = self.weight
        if self.repeat:
            weight = torch.stack([weight[0], weight[1:].sum(dim=0)])
        steps, _, width = weight.shape
        parts = (x @ weight.permute(1, 0, 2).reshape(-1, steps * width)).split(width, dim=1)
        out = parts[-1]
        for part in parts[-2::-1]:
            out = part + graph @ out
        return out + self.bias


def glorot_linear(n_in: int, n_out: int, generator: torch.Generator) -> nn.Linear:
    """Return a linear layer with Glorot-uniform weights and zero bias."""
    layer = nn.Linear(n_in, n_out, device="meta").to_empty(device="cpu")
    layer.weight = glorot(n_out, n_in, generator=generator)
    nn.init.zeros_(layer.bias)
    return layer


class Network(nn.Module):
    """Encoder to 15 dimensions, graph decoder and expression decoder."""

    def __init__(self, n_genes: int, params: Params, generator: torch.Generator) -> None:
        super().__init__()
        repeat = params.hops == "repeat"
        self.first = TagConv(n_genes, 128, params.n_hops, repeat, generator)
        self.second = TagConv(128, 15, params.n_hops, repeat, generator)
        self.to_graph = glorot_linear(15, 32, generator)
        self.bilinear = glorot(32, 32, generator=generator)
        widths = [15, 128, 256, 512]
        layers = [glorot_linear(i, o, generator) for i, o in pairwise(widths)]
        self.decoder = nn.ModuleList(layers)
        self.head_weight = glorot(3, n_genes, widths[-1], generator=generator)
        self.head_bias = nn.Parameter(torch.zeros(3, n_genes))

    def encode(self, features: Features, graph: SparseMatrix) -> Tensor:
        """Embed cells, cells x 15."""
        return self.second(torch.relu(self.first(features, graph)), graph)

    def reconstruction(
        self, z: Tensor, target: ZinbTarget, graph_loss: GraphLoss
    ) -> dict[str, Tensor]:
        """Weighted losses of both decoders."""
        h = self.to_graph(z)
        hidden = z
        for layer in self.decoder:
            hidden = torch.relu(layer(hidden))
        zinb = zinb_heads(hidden, self.head_weight, self.head_bias, target)
        graph = graph_loss(h @ self.bilinear, h)
        return {"graph": WEIGHTS["graph"] * graph, "zinb": WEIGHTS["zinb"] * zinb}
