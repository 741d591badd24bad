"""Bounded graph attention on CSR edges: scalars per edge, never a vector per edge."""

from __future__ import annotations

from typing import Any

import numpy as np
import scipy.sparse as sp
import torch
from torch import Tensor


class EdgeGraph:
    """
    Edges of a fixed graph in row order, and the way to their order by column.

    Parameters
    ----------
    graph
        Row i has entries at the spots that i attends to, itself included; spots x spots.
    device
        Torch device.
    """

    def __init__(self, graph: sp.csr_matrix, device: str = "cpu") -> None:
        numbered = sp.csr_matrix((np.arange(graph.nnz), graph.indices, graph.indptr), graph.shape)
        turned = numbered.T.tocsr()

        def tensor(values: np.ndarray) -> Tensor:
            return torch.from_numpy(values.astype(np.int64)).to(device)

        self.shape = graph.shape
        self.offsets, self.columns = tensor(graph.indptr), tensor(graph.indices)
        self.rows = torch.repeat_interleave(self.offsets.diff())
        self.turned_offsets, self.turned_columns = tensor(turned.indptr), tensor(turned.indices)
        self.turn = tensor(turned.data)

    def row_sums(self, values: Tensor) -> Tensor:
        """Sum edge values over each row, spots."""
        return torch.segment_reduce(values, "sum", offsets=self.offsets)

    def matrix(self, values: Tensor) -> Tensor:
        """Return the sparse matrix with these edge values, spots x spots."""
        return torch.sparse_csr_tensor(self.offsets, self.columns, values, self.shape)

    def product(self, values: Tensor, dense: Tensor) -> Tensor:
        """Multiply the matrix with these edge values by spots x d."""
        return self.matrix(values) @ dense.contiguous()

    def turned_product(self, values: Tensor, dense: Tensor) -> Tensor:
        """Multiply its transpose by spots x d."""
        turned = (self.turned_offsets, self.turned_columns, values[self.turn])
        return torch.sparse_csr_tensor(*turned, self.shape) @ dense.contiguous()

    def edge_products(self, left: Tensor, right: Tensor) -> Tensor:
        """Inner product of row i of `left` and row j of `right` for each edge, edges."""
        none = self.matrix(left.new_zeros(len(self.columns)))
        return torch.sparse.sampled_addmm(none, left, right.T, beta=0.0).values()


def attention(scores: Tensor, graph: EdgeGraph) -> Tensor:
    """
    Softmax over each row of sigmoid(s_i0 + s_j1): weights differ by a factor e at most.

    Parameters
    ----------
    scores
        Of each spot as the one that looks and as the one looked at, spots x 2.
    graph
        Its edges.

    Returns
    -------
    Weight of every edge; each row sums to 1.

    Notes
    -----
    Dong and Zhang 2022, attention layer of the encoder.
    """
    own, other = scores.unbind(dim=1)
    # of numbers in (0, 1): the exponential cannot overflow
    weight = torch.sigmoid(own[graph.rows] + other[graph.columns]).exp()
    return weight / graph.row_sums(weight)[graph.rows]


class _Aggregate(torch.autograd.Function):
    @staticmethod
    def forward(ctx: Any, weight: Tensor, dense: Tensor, graph: EdgeGraph) -> Tensor:
        ctx.graph = graph
        ctx.save_for_backward(weight, dense)
        return graph.product(weight, dense)

    @staticmethod
    def backward(ctx: Any, *grads: Tensor) -> tuple[Tensor, Tensor, None]:
        (weight, dense), graph = ctx.saved_tensors, ctx.graph
        return (
            graph.edge_products(grads[0], dense),
            graph.turned_product(weight, grads[0]),
            None,
        )


def aggregate(weight: Tensor, dense: Tensor, graph: EdgeGraph) -> Tensor:
    """
    Sum the rows of `dense` over each spot's edges, weighted; differentiable in both.

    The plain formula, ``sum over j of w_ij x_j`` by autograd, makes a vector for every edge: epochs
    take 1.3 to 1.9 times as long, and 0.3 GiB more at 10,000 spots, 1 GiB at 20,000.

    Parameters
    ----------
    weight
        Of every edge.
    dense
        spots x d.
    graph
        Its edges.
    """
    return _Aggregate.apply(weight, dense, graph)
