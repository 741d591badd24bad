"""Products of sparse matrices with dense ones, value and gradient."""

from __future__ import annotations

import numpy as np
import pytest
import scipy.sparse as sp
import torch

from methods.shared.nn.sparse import (
    SparseMatrix,
    TiledMatrix,
    csr_tensor,
    linear_map,
    sum_over_edges,
)
from tests.methods.toys import leaves, same_gradients


def drawn(density: float = 0.3) -> tuple[sp.csr_matrix, torch.Tensor]:
    """Return the same 6 x 9 matrix sparse and dense."""
    matrix = sp.random(6, 9, density, format="csr", random_state=0)
    return matrix, torch.tensor(matrix.toarray())


def test_a_linear_map_takes_gradients_back_by_its_adjoint():
    """Rotating the rows of x by one and back again, between two other steps."""
    (x,) = leaves((5, 3))
    made = linear_map(2 * x, lambda v: v.roll(1, dims=0), lambda g: g.roll(-1, dims=0))
    weight = torch.arange(15.0, dtype=torch.float64).view(5, 3)
    same_gradients((made.square() * weight).sum(), (4 * x.roll(1, 0).square() * weight).sum(), [x])


def test_the_adjoint_decides_and_the_map_is_not_looked_into():
    """A product that is known already, cut from autograd, still has the gradient it is told."""
    x = torch.ones(4, requires_grad=True)
    made = linear_map(x, lambda v: 3 * v.detach(), lambda g: 3 * g)
    assert made.tolist() == [3, 3, 3, 3]
    made.sum().backward()
    assert x.grad.tolist() == [3, 3, 3, 3]


@pytest.mark.parametrize("density", [0.0, 0.3, 1.0])
def test_a_sparse_matrix_and_its_transpose_multiply_as_dense_ones(density):
    matrix, dense = drawn(density)
    right, left = leaves((9, 4), (6, 4))
    ours = SparseMatrix(matrix)
    same_gradients((ours @ right).square().sum(), (dense @ right).square().sum(), [right])
    same_gradients((ours.T @ left).square().sum(), (dense.T @ left).square().sum(), [left])


def test_the_sum_over_edges_is_that_of_the_dense_product():
    matrix, dense = drawn()
    rows, columns = leaves((6, 4), (9, 4))
    found = sum_over_edges(rows, columns, SparseMatrix(matrix))
    same_gradients(found, (dense * (rows @ columns.T)).sum(), [rows, columns])


@pytest.mark.parametrize(("width", "density"), [(300, 0.9), (300, 0.2), (100, 0.9)])
def test_sparse_products_in_strips_and_whole(width, density):
    """Wide sparse products of rows read often, of rows read seldom, and narrow ones."""
    matrix = sp.random(50, 40, density, format="csr", dtype=np.float32, random_state=0)
    x = torch.randn(40, width, requires_grad=True)
    out = TiledMatrix(matrix) @ x
    expected = csr_tensor(matrix, "cpu").to_dense() @ x
    torch.testing.assert_close(out, expected)
    weight = torch.randn_like(out)
    (found,) = torch.autograd.grad((out * weight).sum(), x)
    torch.testing.assert_close(found, torch.tensor(matrix.toarray()).T @ weight)
    scale = torch.rand(50)
    scaled = TiledMatrix(matrix).transposed_by_scaled(weight, scale)
    torch.testing.assert_close(scaled, torch.tensor(matrix.toarray()).T @ (scale[:, None] * weight))
