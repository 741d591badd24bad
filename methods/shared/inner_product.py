"""Cross-entropy of an inner-product decoder against a sparse graph, without a cells x cells array.

With t = z z^T and a 0/1 graph Y the weighted cross-entropy over all pairs splits into
``sum over edges of w softplus(-t) - softplus(t)``, exact in O(edges), and ``sum over all pairs of
softplus(t)``, which runs in row blocks: over all columns, or over a random subset of them scaled
up, which is unbiased because every ordered pair is equally likely.
"""

from __future__ import annotations

from typing import Any

import numpy as np
import scipy.sparse as sp
import torch
from torch import Tensor
from torch.nn.functional import softplus

from methods.shared.product import multiply
from methods.shared.sparse import csr_tensor

GROUP = 64  # factors of at least 1/2 multiplied before a logarithm; 2^-64 is far from underflow


def log_sum(values: Tensor) -> Tensor:
    """Sum the logarithms of values in [1/2, 1], one logarithm for every 64 of them."""
    flat = values.view(-1)
    whole = len(flat) // GROUP * GROUP
    products = flat[:whole].view(-1, GROUP).prod(dim=1)
    return products.log_().sum(dtype=torch.float64) + flat[whole:].log().sum(dtype=torch.float64)


def softplus_pairs(rows: Tensor, columns: Tensor, block: int = 256) -> tuple[Tensor, ...]:
    """
    Sum ``softplus(r_i . c_j)`` over all pairs, with its gradients.

    Uses softplus(t) = max(t, 0) - log max(s, 1 - s) with s = sigmoid(t), the gradient's own
    sigmoid.

    Parameters
    ----------
    rows, columns
        n x d and m x d; the same tensor for all pairs of one set.
    block
        Rows at a time; memory is O(block x m).

    Returns
    -------
    The sum, float64, and its derivatives by `rows` and `columns`; where both are the same tensor
    the first, its full derivative, is all there is.
    """
    total = torch.zeros((), dtype=torch.float64, device=rows.device)
    by_rows, by_columns = torch.empty_like(rows), torch.zeros_like(columns)
    for start in range(0, len(rows), block):
        part = rows[start : start + block]
        t = multiply(part, columns.T)
        s = torch.sigmoid(t)
        torch.mm(s, columns, out=by_rows[start : start + block])
        if columns is not rows:
            by_columns.addmm_(s.T, part)
        total += t.clamp_(min=0).sum(dtype=torch.float64)
        total -= log_sum(torch.maximum(s, 1 - s))
    return (total, by_rows.mul_(2)) if columns is rows else (total, by_rows, by_columns)


class InnerProductDecoder:
    """
    Mean weighted cross-entropy of sigmoid(z_i . z_j) against a binary symmetric graph.

    Parameters
    ----------
    graph
        Y, ones at edges, the diagonal included where self pairs count as edges.
    exact_up_to
        Largest number of cells for which all pairs are visited.
    generator
        Draws the columns of a sampled step, on the CPU.
    device
        Torch device.
    columns
        Cells drawn as partners of every cell in a sampled step.

    Notes
    -----
    Edges weigh (N^2 - S) / S and everything N^2 / (2 (N^2 - S)), with S the sum of Y without its
    diagonal. Kipf and Welling, arXiv 1611.07308, and their code.
    """

    def __init__(
        self,
        graph: sp.csr_matrix,
        exact_up_to: int,
        generator: torch.Generator,
        device: str = "cpu",
        columns: int = 1024,
    ) -> None:
        n = graph.shape[0]
        edges = float(graph.nnz - np.count_nonzero(graph.diagonal()))
        absent = n**2 - edges
        self.pairs = n**2
        self.edge_weight = absent / max(edges, 1.0)
        self.scale = n**2 / (2 * absent)
        self.exact = n <= exact_up_to
        self.generator = generator
        self.columns = min(columns, n)
        matrix = csr_tensor(graph, device)
        self.offsets, self.targets = matrix.crow_indices(), matrix.col_indices()
        self.sources = torch.repeat_interleave(torch.arange(n, device=device), self.offsets.diff())

    def __call__(self, z: Tensor) -> Tensor:
        """Evaluate for `z`, cells x d; the gradient is formed on the way."""
        return _CrossEntropy.apply(z, self)

    def edge_part(self, z: Tensor) -> tuple[Tensor, Tensor]:
        """Sum over the edges and differentiate; the graph is symmetric, hence the factor 2."""
        t = (z[self.sources] * z[self.targets]).sum(dim=1)
        # w softplus(-t) - softplus(t) = (w - 1) softplus(-t) - t
        value = ((self.edge_weight - 1) * softplus(-t) - t).sum(dtype=torch.float64)
        slope = (1 - self.edge_weight) * torch.sigmoid(-t) - 1
        matrix = torch.sparse_csr_tensor(self.offsets, self.targets, slope, (len(z), len(z)))
        return value, 2 * (matrix @ z)

    def all_part(self, z: Tensor) -> tuple[Tensor, Tensor]:
        """Sum softplus over all pairs, or estimate it from random columns."""
        if self.exact:
            value, gradient = softplus_pairs(z, z)
            return value, gradient
        drawn = torch.randperm(len(z), generator=self.generator)[: self.columns].to(z.device)
        value, gradient, by_columns = softplus_pairs(z, z[drawn])
        gradient.index_add_(0, drawn, by_columns)
        scale = len(z) / self.columns
        return scale * value, gradient.mul_(scale)


class _CrossEntropy(torch.autograd.Function):
    @staticmethod
    def forward(ctx: Any, z: Tensor, decoder: InnerProductDecoder) -> Tensor:
        edge, edge_gradient = decoder.edge_part(z)
        every, gradient = decoder.all_part(z)
        scale = decoder.scale / decoder.pairs
        ctx.save_for_backward(gradient.add_(edge_gradient).mul_(scale))
        return ((edge + every) * scale).to(z.dtype)

    @staticmethod
    def backward(ctx: Any, *grads: Tensor) -> tuple[Tensor, None]:
        return grads[0] * ctx.saved_tensors[0], None
