"""Topology-adaptive convolution of features kept sparse."""

from __future__ import annotations

import torch
from torch import Tensor, nn

from methods.shared.nn.layers import glorot
from methods.shared.nn.sparse import SparseMatrix


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
