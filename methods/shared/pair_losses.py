"""Losses over all pairs of spots, without an array of that size."""

from __future__ import annotations

import math
from typing import Any

import scipy.sparse as sp
import torch
from torch import Tensor
from torch.nn.functional import normalize, softplus

from methods.shared.inner_product import softplus_pairs
from methods.shared.sparse import SparseMatrix, inner_product

# log(2 cosh(c / 2)) ~ EVEN[0] + EVEN[1] c^2 on [-1, 1], minimax: off by 5.9e-4 at most
EVEN = (0.6937386, 0.1201145)


def gram_distance(first: Tensor, second: Tensor) -> Tensor:
    """
    Average over pairs of cells the squared difference between two views' similarities.

    ``|U U^T - V V^T|^2 / N^2`` from the d x d products of U and V, the views with columns
    centred and rows scaled to unit length.

    Parameters
    ----------
    first, second
        Views of the same cells, cells x d each.
    """
    u, v = (normalize(x - x.mean(dim=0), dim=1) for x in (first, second))
    grams = (u.T @ u).square().sum() + (v.T @ v).square().sum() - 2 * (u.T @ v).square().sum()
    return grams / len(u) ** 2


class _SoftplusPairs(torch.autograd.Function):
    @staticmethod
    def forward(ctx: Any, u: Tensor) -> Tensor:
        total, gradient = softplus_pairs(u, u)
        ctx.save_for_backward(gradient)
        return total

    @staticmethod
    def backward(ctx: Any, *grads: Tensor) -> Tensor:
        (gradient,) = ctx.saved_tensors
        return grads[0].to(gradient.dtype) * gradient


def softplus_exact(u: Tensor) -> Tensor:
    """Sum ``softplus(u_i . u_j)`` over i != j in blocks of rows, time O(N^2 d)."""
    own = softplus(torch.linalg.vecdot(u, u)).sum(dtype=torch.float64)
    return _SoftplusPairs.apply(u) - own


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
        edges = inner_product(u, u, self.edges)
        return ((n * math.log(2) + pairs - edges) / (2 * n**2)).to(z.dtype)
