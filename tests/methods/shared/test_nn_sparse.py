"""Products of sparse matrices with dense ones, value and gradient."""

from __future__ import annotations

import numpy as np
import pytest
import scipy.sparse as sp
import torch

from methods.shared.nn.sparse import TiledMatrix, csr_tensor


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
