"""Squared errors through Gram matrices against the products themselves, value and gradient."""

from __future__ import annotations

import numpy as np
import pytest
import scipy.sparse as sp
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch.nn.functional import normalize

from methods.shared.losses.gram import gram_distance, squared_error
from methods.shared.nn.sparse import SparseMatrix
from tests.methods.toys import leaves, same_gradients


@given(st.integers(0, 10**6), st.floats(0.0, 1.0))
@settings(max_examples=25, deadline=None)
def test_squared_error_is_that_of_the_product(seed, density):
    """Value and gradients; and by hand the gradient of the weights, -2 H^T (X - H W)."""
    h, w = leaves((8, 3), (3, 12), seed=seed)
    x = sp.random(8, 12, density, format="csr", random_state=seed)
    dense, projected = torch.tensor(x.toarray()), SparseMatrix(x) @ w.T
    loss = squared_error(h, w, projected, float((x.data**2).sum()))
    same_gradients(loss, (dense - h @ w).square().sum(), [h, w])
    (slope,) = torch.autograd.grad(squared_error(h, w, SparseMatrix(x) @ w.T, 0.0), [w])
    torch.testing.assert_close(slope, -2 * h.T @ (dense - h @ w))


def centred(x: torch.Tensor) -> torch.Tensor:
    return normalize(x - x.mean(dim=0), dim=1)


def dense_gram_distance(first: torch.Tensor, second: torch.Tensor) -> torch.Tensor:
    u, v = centred(first), centred(second)
    return (u @ u.T - v @ v.T).square().sum() / len(u) ** 2


def drawn(*shape: int, seed: int = 0) -> torch.Tensor:
    return torch.tensor(np.random.default_rng(seed).normal(size=shape))


def test_gram_distance_equals_all_pairs():
    """The d x d form is the N x N form, values and gradients; never negative."""
    for seed in range(5):
        pair = [x.requires_grad_() for x in drawn(2, 60, 7, seed=seed).unbind()]
        found, expected = gram_distance(*pair), dense_gram_distance(*pair)
        assert abs(found.item() - expected.item()) < 1e-12
        assert found.item() >= 0
        pairs = (torch.autograd.grad(loss, pair) for loss in (found, expected))
        for one, other in zip(*pairs, strict=True):
            torch.testing.assert_close(one, other, rtol=1e-9, atol=1e-12)
        single = gram_distance(*(x.detach().float() for x in pair)).item()
        assert single == pytest.approx(expected.item(), abs=1e-6)


def test_gram_distance_of_a_rotated_view_is_zero():
    """Views that differ by an orthogonal matrix, V = U Q, have the same similarities."""
    x = drawn(50, 6)
    q = torch.linalg.qr(drawn(6, 6, seed=1))[0]
    assert gram_distance(x, x @ q).item() == pytest.approx(0, abs=1e-14)
    assert abs(gram_distance(x.float(), (x @ q).float()).item()) < 1e-6
