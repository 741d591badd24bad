"""STAGATE's attention: bounds, means and gradients."""

from __future__ import annotations

import math

import numpy as np
import scipy.sparse as sp
import torch

from methods.shared.graphs.weights import with_loops
from methods.stagate.attention import EdgeGraph, aggregate, attention


def ring(n: int, reach: int) -> sp.csr_matrix:
    """Join each of n spots to its nearest on a circle, `reach` on both sides."""
    steps = [s for s in range(-reach, reach + 1) if s]
    columns = (np.arange(n)[:, None] + steps) % n
    rows = np.repeat(np.arange(n), len(steps))
    ones = np.ones(rows.size, dtype=np.float32)
    return sp.csr_matrix((ones, (rows, columns.ravel())), (n, n))


def test_attention_rows_sum_to_one_within_their_bounds():
    """Rows sum to 1, weights lie within [1/(1+(m-1)e), e/(e+m-1)]; zeros give the mean."""
    graph = EdgeGraph(with_loops(ring(20, 3)))
    weights = attention(torch.randn(20, 2) * 50, graph).view(20, 7)
    torch.testing.assert_close(weights.sum(dim=1), torch.ones(20))
    low, high = 1 / (1 + 6 * math.e), math.e / (math.e + 6)
    assert (round(low, 4), round(high, 4)) == (0.0578, 0.3118)
    assert weights.min() >= low - 1e-6
    assert weights.max() <= high + 1e-6
    plain = attention(torch.zeros(20, 2), graph)
    torch.testing.assert_close(plain, torch.full((140,), 1 / 7))
    x = torch.randn(20, 4)
    mean = torch.stack([x[(i + np.arange(-3, 4)) % 20].mean(dim=0) for i in range(20)])
    torch.testing.assert_close(aggregate(plain, x, graph), mean)


def test_edge_products_are_the_gradient_by_attention_weights():
    """Against a dense matrix of them."""
    weights = torch.rand(140, requires_grad=True)
    x, graph = torch.randn(20, 5), EdgeGraph(with_loops(ring(20, 3)))
    sparse = torch.autograd.grad(aggregate(weights, x, graph).square().sum(), weights)[0]
    matrix = torch.zeros(20, 20).index_put((graph.rows, graph.columns), weights)
    dense = torch.autograd.grad((matrix @ x).square().sum(), weights)[0]
    torch.testing.assert_close(sparse, dense)
