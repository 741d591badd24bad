"""Losses over all pairs of spots, without an array of that size."""

from __future__ import annotations

import math

import scipy.sparse as sp
import torch
from torch import Tensor
from torch.nn.functional import normalize, softplus

from methods.shared.losses.with_gradient import with_gradient
from methods.shared.nn.matmul import multiply
from methods.shared.nn.sparse import SparseMatrix, sum_over_edges

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


# log(2 cosh(c / 2)) ~ EVEN[0] + EVEN[1] c^2 on [-1, 1], minimax: off by 5.9e-4 at most
EVEN = (0.6937386, 0.1201145)


def softplus_exact(u: Tensor) -> Tensor:
    """Sum ``softplus(u_i . u_j)`` over i != j in blocks of rows, time O(N^2 d)."""
    own = softplus(torch.linalg.vecdot(u, u)).sum(dtype=torch.float64)
    with torch.no_grad():
        total, gradient = softplus_pairs(u, u)
    return with_gradient(total, [u], [gradient]) - own


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
