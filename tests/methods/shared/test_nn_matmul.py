"""Large dense products against double precision."""

from __future__ import annotations

import pytest
import torch

from methods.shared.nn import matmul as module
from methods.shared.nn.matmul import multiply, product


def pair(n: int = 150, m: int = 90, d: int = 110) -> tuple[torch.Tensor, torch.Tensor]:
    generator = torch.Generator().manual_seed(0)
    return torch.randn(n, m, generator=generator), torch.randn(m, d, generator=generator)


@pytest.mark.parametrize("onednn", [True, False])
def test_products_and_transposed_views_equal_double_precision(monkeypatch, onednn):
    if not onednn:
        monkeypatch.setattr(module, "_onednn", lambda: False)
    a, b = pair()
    exact = a.double() @ b.double()
    for left, right in ((a, b), (a.T.contiguous().T, b), (a, b.T.contiguous().T)):
        torch.testing.assert_close(multiply(left, right).double(), exact, rtol=1e-5, atol=1e-4)
    torch.testing.assert_close(multiply(a[:3], b), a[:3] @ b)
    assert multiply(a.double(), b.double()).dtype == torch.float64


def test_views_with_gaps_give_the_same_product():
    """oneDNN takes a thousand times as long on every second column, or on half the columns."""
    a, b = pair()
    for view in (a[:, :70], a[:, ::2], a[::2], a.T[:, :70]):
        other = b[: view.shape[1]]
        torch.testing.assert_close(multiply(view, other), view @ other)
        torch.testing.assert_close(multiply(other.T, view.T), other.T @ view.T)
    assert multiply(a[:0], b).shape == (0, b.shape[1])


def test_gradients_equal_those_of_plain_products():
    a, b = (x.requires_grad_() for x in pair())
    weight = torch.randn(150, 110, generator=torch.Generator().manual_seed(1))
    found = torch.autograd.grad((product(a, b) * weight).sum(), (a, b))
    expected = torch.autograd.grad((a @ b * weight).sum(), (a, b))
    for one, other in zip(found, expected, strict=True):
        torch.testing.assert_close(one, other, rtol=1e-5, atol=1e-4)


def test_the_faster_kernel_is_used_where_torch_has_it():
    """A torch that renames it would make training slower without a word."""
    if torch.backends.mkl.is_available() and torch.backends.mkldnn.is_available():
        assert module._onednn()
