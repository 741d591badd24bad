"""Identities that replace large matrices, value and gradient."""

from __future__ import annotations

import scipy.sparse as sp
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from methods.shared.losses.gram import gram_mse
from methods.shared.nn.sparse import SparseMatrix
from tests.methods.toys import leaves, same_gradients


@given(st.integers(0, 10**6), st.floats(0.0, 1.0))
@settings(max_examples=25, deadline=None)
def test_gram_mse_is_the_mean_square_error(seed, density):
    """GraphST 3: value and gradients; 6: the closed form of the decoder's gradient."""
    y, w = leaves((8, 3), (3, 12), seed=seed)
    x = sp.random(8, 12, density, format="csr", random_state=seed)
    dense = torch.tensor(x.toarray())
    loss = gram_mse(y, w, SparseMatrix(x), float((x.data**2).sum()))
    same_gradients(loss, (dense - y @ w).square().mean(), [y, w])
    (slope,) = torch.autograd.grad(gram_mse(y, w, SparseMatrix(x), 0.0), [w])
    torch.testing.assert_close(10 * slope, -20 / (8 * 12) * y.T @ (dense - y @ w))
