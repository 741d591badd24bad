"""Dropout and activation in place against their steps one by one."""

from __future__ import annotations

import pytest
import torch
from torch.nn.functional import leaky_relu

from methods.shared.nn.dropout import activate, draw_mask, dropped, dropped_product


def test_masks_drop_at_their_rate_and_keep_the_mean():
    """Share of zeros and scale, as drawn and as used."""
    generator = torch.Generator().manual_seed(0)
    mask = draw_mask((400, 500), 0.3, generator)
    assert (~mask.keep).float().mean().item() == pytest.approx(0.3, abs=0.005)
    assert mask.scale == pytest.approx(1 / 0.7, rel=1e-4)
    assert draw_mask((3, 3), 0.0, generator).keep.all()
    x = torch.randn(70, 5, dtype=torch.float64)
    small = draw_mask((70, 5), 0.4, generator)
    torch.testing.assert_close(dropped(x, small), torch.where(small.keep, x * small.scale, 0.0))
    assert dropped(x, None) is x


def test_product_of_a_masked_array_has_the_gradients_of_its_steps():
    generator = torch.Generator().manual_seed(0)
    mask = draw_mask((70, 5), 0.4, generator)
    x = torch.randn(70, 5, dtype=torch.float64, generator=generator).requires_grad_()
    w = torch.randn(5, 2, dtype=torch.float64, generator=generator).requires_grad_()
    torch.testing.assert_close(dropped_product(x, w, mask), dropped(x, mask) @ w)
    assert torch.autograd.gradcheck(lambda a, b: dropped_product(a, b, mask), (x, w))


@pytest.mark.parametrize("dropped", [False, True])
def test_activation_in_place_equals_its_three_steps(dropped):
    """Bias, leaky or plain ReLU, dropout; over more rows than one block has."""
    generator = torch.Generator().manual_seed(0)
    x, bias = torch.randn(2, 150, 7, dtype=torch.float64, generator=generator)
    x, bias = x.requires_grad_(), bias[0].clone().requires_grad_()
    mask = draw_mask((150, 7), 0.4, generator) if dropped else None
    for slope in (0.0, 0.01):
        factor = mask.keep * mask.scale if mask else 1.0
        expected = leaky_relu(x + bias, slope) * factor
        found = activate(x * 1.0, bias, slope, mask)
        torch.testing.assert_close(found, expected)
        weight = torch.randn(found.shape, dtype=torch.float64, generator=generator)
        pair = [torch.autograd.grad((y * weight).sum(), (x, bias)) for y in (found, expected)]
        torch.testing.assert_close(*pair)


def test_activation_refuses_a_second_backward_pass():
    """The first gradient lies where the result was; a second one would be made of it."""
    x, bias = torch.ones(2, 3, requires_grad=True), torch.zeros(3)
    total = activate(x * 1.0, bias, 0.01).sum()
    torch.autograd.grad(total, x, retain_graph=True)
    with pytest.raises(RuntimeError, match="modified by an inplace operation"):
        torch.autograd.grad(total, x)
