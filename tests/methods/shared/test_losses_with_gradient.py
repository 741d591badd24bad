"""Gradients that are made together with a value."""

from __future__ import annotations

import pytest
import torch

from methods.shared.losses.with_gradient import (
    accumulated_loss,
    blockwise_loss,
    row_blocks,
    with_gradient,
)
from tests.methods.toys import leaves, same_gradients
from tests.methods.watch import Largest


@pytest.mark.parametrize("scale", [1.0, -2.5])
def test_value_and_gradients_are_those_of_autograd_at_any_scale(scale):
    """Sum x^3 + sum sin y with 3 x^2 and cos y, alone and as a part of a larger sum."""
    x, y = leaves((4, 3), (5,))
    with torch.no_grad():
        value, gradients = x.pow(3).sum() + y.sin().sum(), [3 * x.square(), y.cos()]
    found = scale * with_gradient(value, [x, y], gradients) + x.sum()
    same_gradients(found, scale * (x.pow(3).sum() + y.sin().sum()) + x.sum(), [x, y])


def test_gradients_pass_through_what_is_done_to_the_value():
    """The derivative of a root depends on the value itself."""
    (x,) = leaves((6,))
    made = with_gradient(x.detach().square().sum(), [x], [2 * x.detach()])
    same_gradients(made.sqrt(), x.square().sum().sqrt(), [x])


def test_a_value_in_double_precision_has_gradients_in_single():
    """Losses add up in float64 where networks are float32."""
    x = torch.arange(1.0, 5.0).requires_grad_()
    value = x.detach().double().square().sum()
    loss = with_gradient(value, [x], [2 * x.detach()])
    assert loss.dtype == torch.float64
    (3 * loss).backward()
    assert x.grad.dtype == torch.float32
    torch.testing.assert_close(x.grad, 6 * x.detach())


def test_what_is_given_stays_as_it_is():
    """Changing the loss in place, or going backward, changes neither value nor gradient."""
    x = torch.ones(3, requires_grad=True)
    value, gradient = torch.tensor(3.0), torch.full((3,), 2.0)
    with_gradient(value, [x], [gradient]).mul_(5).backward()
    assert value == 3
    assert gradient.tolist() == [2, 2, 2]
    assert x.grad.tolist() == [10, 10, 10]


def test_accumulated_gradients_are_those_of_the_sum():
    """Through a root, and with a parameter that no part uses."""
    a, b = torch.randn(4, requires_grad=True), torch.randn(2, requires_grad=True)
    parts = [lambda i=i: (a * i).square().sum() for i in range(1, 4)]
    accumulated_loss(parts, [a, b]).sqrt().backward()
    expected = torch.autograd.grad((14 * a.square().sum()).sqrt(), a)[0]
    torch.testing.assert_close(a.grad, expected)
    assert not b.grad.any()


@pytest.mark.parametrize("rows", [1, 4, 100])
def test_a_loss_by_blocks_is_the_whole_one(rows):
    """Value and gradients, through what its inputs depend on and what is done to the sum."""
    x, y = leaves((10, 3), (6, 3))

    def block(part: slice, a: torch.Tensor, b: torch.Tensor) -> torch.Tensor:
        return (a[part] @ b.T).sin().sum()

    found = blockwise_loss(block, [2 * x, y], row_blocks(10, rows))
    same_gradients(found.square(), (2 * x @ y.T).sin().sum().square(), [x, y])


def test_a_loss_by_blocks_takes_the_memory_of_one():
    """Of 400 x 400 products no array has more than 20 rows; they add up in double precision."""
    x = torch.randn(400, 4, requires_grad=True)
    with Largest() as largest:
        loss = blockwise_loss(lambda part, a: (a[part] @ a.T).exp().sum(), [x], row_blocks(400, 20))
        loss.backward()
    assert largest.size == 20 * 400
    assert loss.dtype == torch.float64
    assert x.grad.dtype == torch.float32


def test_a_loss_by_blocks_is_evaluated_where_no_gradient_is_wanted():
    x = torch.ones(5, requires_grad=True)
    with torch.no_grad():
        loss = blockwise_loss(lambda part, a: a[part].sum(), [x], row_blocks(5, 2))
    assert loss.item() == 5
    assert not loss.requires_grad


@pytest.mark.parametrize(("n_rows", "stops"), [(0, []), (3, [3]), (8, [4, 8]), (9, [4, 8, 9])])
def test_blocks_of_rows_follow_each_other(n_rows, stops):
    found = row_blocks(n_rows, 4)
    assert [part.stop for part in found] == stops
    assert [part.start for part in found] == [0, *stops][: len(stops)]
