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

from methods.shared.losses.with_gradient import blockwise_loss, row_blocks


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
        pairs = np.column_stack(graph.nonzero()).astype(np.int64)
        self.sources, self.targets = torch.from_numpy(pairs).to(device).unbind(dim=1)

    def __call__(self, z: Tensor) -> Tensor:
        """Evaluate for `z`, cells x d."""
        t = torch.linalg.vecdot(z[self.sources], z[self.targets])
        # w softplus(-t) - softplus(t) = (w - 1) softplus(-t) - t
        edges = ((self.edge_weight - 1) * softplus(-t) - t).sum(dtype=torch.float64)
        return ((edges + self.all_pairs(z)) * (self.scale / self.pairs)).to(z.dtype)

    def all_pairs(self, z: Tensor) -> Tensor:
        """Sum softplus over all pairs, or estimate the sum from random columns."""
        partners = z
        if not self.exact:
            drawn = torch.randperm(len(z), generator=self.generator)[: self.columns]
            partners = z[drawn.to(z.device)]

        def block(rows: slice, x: Tensor, y: Tensor) -> Tensor:
            return softplus(x[rows] @ y.T).sum(dtype=torch.float64)

        total = blockwise_loss(block, [z, partners], row_blocks(len(z)))
        return total * (len(z) / len(partners))
