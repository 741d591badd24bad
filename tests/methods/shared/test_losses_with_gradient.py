"""Gradients that are made together with a value."""

from __future__ import annotations

import torch

from methods.shared.losses.with_gradient import accumulated_loss


def test_accumulated_gradients_are_those_of_the_sum():
    """Through a root, and with a parameter that no part uses."""
    a, b = torch.randn(4, requires_grad=True), torch.randn(2, requires_grad=True)
    parts = [lambda i=i: (a * i).square().sum() for i in range(1, 4)]
    accumulated_loss(parts, [a, b]).sqrt().backward()
    expected = torch.autograd.grad((14 * a.square().sum()).sqrt(), a)[0]
    torch.testing.assert_close(a.grad, expected)
    assert not b.grad.any()
