"""Losses over all pairs of spots, without an array of that size."""

from __future__ import annotations

import math

import scipy.sparse as sp
import torch
from torch import Tensor
from torch.nn.functional import normalize, softplus

from methods.shared.losses.with_gradient import blockwise_loss, row_blocks
from methods.shared.nn.sparse import SparseMatrix, sum_over_edges

# log(2 cosh(c / 2)) ~ EVEN[0] + EVEN[1] c^2 on [-1, 1], minimax: off by 5.9e-4 at most
EVEN = (0.6937386, 0.1201145)


def softplus_exact(u: Tensor) -> Tensor:
    """Sum ``softplus(u_i . u_j)`` over i != j in blocks of rows, time O(N^2 d)."""

    def block(rows: slice, x: Tensor) -> Tensor:
        return softplus(x[rows] @ x.T).sum(dtype=torch.float64)

    own = softplus(torch.linalg.vecdot(u, u)).sum(dtype=torch.float64)
    return blockwise_loss(block, [u], row_blocks(len(u))) - own


def softplus_closed(u: Tensor) -> Tensor:
    """
    Approximate the same sum for rows of unit length (or zero) in time O(N d^2).

    The odd part of the softplus is linear; the even part is replaced by a quadratic, so that the
    sum needs the total of the rows and their d x d Gram matrix only.
    """
    n, own = len(u), torch.linalg.vecdot(u, u)
    linear = u.sum(dim=0).square().sum() - own.sum()
    quadratic = (u.T @ u).square().sum() - own.square().sum()
    return (n * n - n) * EVEN[0] + linear.double() / 2 + EVEN[1] * quadratic.double()


class CosineGraphLoss:
    """
    Cross-entropy between sigmoids of cosine similarities and a 0/1 graph, averaged over pairs.

    ``-(1 / 2 N^2) sum S log sigma(c) + (1 - S) log(1 - sigma(c))`` with c_ii = 0. It equals
    ``(N log 2 + sum over i != j of softplus(c_ij) - sum over edges of c_ij) / (2 N^2)``.

    Parameters
    ----------
    graph
        S, cells x cells without loops.
    exact_up_to
        Cells up to which the softplus visits all pairs; above it takes its closed form.
    device
        Torch device.

    Notes
    -----
    Wang et al., Briefings in Bioinformatics 24, bbad262 (2023): spatial regularisation.
    """

    def __init__(self, graph: sp.csr_matrix, exact_up_to: int, device: str = "cpu") -> None:
        self.edges = SparseMatrix(graph, device)
        self.exact = graph.shape[0] <= exact_up_to

    def __call__(self, z: Tensor) -> Tensor:
        """Evaluate for embeddings, cells x d."""
        n, u = len(z), normalize(z, dim=1)
        pairs = softplus_exact(u) if self.exact else softplus_closed(u)
        edges = sum_over_edges(u, u, self.edges)
        return ((n * math.log(2) + pairs - edges) / (2 * n**2)).to(z.dtype)
