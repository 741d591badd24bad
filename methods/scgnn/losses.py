"""Cross-entropy of an inner-product decoder against a sparse graph, without a cells x cells array.

With t = z z^T and a 0/1 graph Y the weighted cross-entropy over all pairs splits into
``sum over edges of w softplus(-t) - softplus(t)``, exact in O(edges), and ``sum over all pairs of
softplus(t)``, which runs in row blocks: over all columns, or over a random subset of them scaled
up, which is unbiased because every ordered pair is equally likely.
"""

from __future__ import annotations

import numpy as np
import scipy.sparse as sp
import torch
from torch import Tensor
from torch.nn.functional import softplus

from methods.shared.losses.graph import softplus_pairs
from methods.shared.losses.with_gradient import with_gradient
from methods.shared.nn.sparse import csr_tensor


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
        with torch.no_grad():
            edge, edge_gradient = self.edge_part(z)
            every, gradient = self.all_part(z)
            scale = self.scale / self.pairs
            gradient.add_(edge_gradient).mul_(scale)
            value = ((edge + every) * scale).to(z.dtype)
        return with_gradient(value, [z], [gradient])

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
