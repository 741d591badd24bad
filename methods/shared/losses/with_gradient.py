"""A loss whose gradient is made together with its value, block by block."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from functools import partial
from typing import Any

import torch
from torch import Tensor

ROWS = 256


class _WithGradient(torch.autograd.Function):
    @staticmethod
    def forward(ctx: Any, value: Tensor, gradients: Sequence[Tensor], *inputs: Tensor) -> Tensor:
        ctx.save_for_backward(*gradients)
        return value.clone()

    @staticmethod
    def backward(ctx: Any, *grads: Tensor) -> tuple[Tensor | None, ...]:
        (scale,), saved = grads, ctx.saved_tensors
        # losses that are just added have scale 1; to ask an accelerator would mean to wait for it
        if scale.device.type == "cpu" and scale == 1:
            return None, None, *saved
        return None, None, *(scale.to(gradient.dtype) * gradient for gradient in saved)


def with_gradient(value: Tensor, inputs: Sequence[Tensor], gradients: Sequence[Tensor]) -> Tensor:
    """
    Attach a gradient that is known already to a value.

    Autograd would keep the intermediate arrays of all blocks until the backward pass. A loss that
    is a sum over blocks can form the gradient of a block beside its value and forget the rest, so
    that memory is that of one block.

    Parameters
    ----------
    value
        A scalar, computed without autograd.
    inputs
        What it depends on.
    gradients
        Its derivative by each input, of the input's shape.

    Returns
    -------
    The value, which can be transformed and differentiated once like any other scalar.
    """
    return _WithGradient.apply(value, gradients, *inputs)


def accumulated_loss(parts: Iterable[Callable[[], Tensor]], parameters: Sequence[Tensor]) -> Tensor:
    """
    Sum the losses of parts, differentiating each before the next is evaluated.

    Exact: the gradient of a sum is the sum of gradients.

    Parameters
    ----------
    parts
        Each evaluates a scalar that depends on `parameters`.
    parameters
        Leaves of the graph; one that no part uses gets a gradient of zeros.

    Returns
    -------
    The sum, in double precision.
    """
    total, sums = _summed(parts, parameters)
    return with_gradient(total, parameters, sums)


def blockwise_loss(
    loss: Callable[..., Tensor], inputs: Sequence[Tensor], blocks: Iterable[Any]
) -> Tensor:
    """
    Sum a loss over blocks by autograd, with the memory of one block.

    Parameters
    ----------
    loss
        Called as ``loss(block, *inputs)``; returns the block's scalar.
    inputs
        What the loss depends on.
    blocks
        Slices of rows, say.

    Returns
    -------
    The sum, in double precision.
    """
    leaves = [tensor.detach().requires_grad_() for tensor in inputs]
    total, sums = _summed((partial(loss, block, *leaves) for block in blocks), leaves)
    return with_gradient(total, inputs, sums)


@torch.enable_grad()
def _summed(
    parts: Iterable[Callable[[], Tensor]], leaves: Sequence[Tensor]
) -> tuple[Tensor, list[Tensor]]:
    """Return the sum of the parts and its derivatives by leaves of the graph."""
    total = torch.zeros((), dtype=torch.float64, device=leaves[0].device)
    sums = [torch.zeros_like(leaf) for leaf in leaves]
    for part in parts:
        loss = part()
        gradients = torch.autograd.grad(loss, leaves, allow_unused=True)
        total += loss.detach()
        for into, gradient in zip(sums, gradients, strict=True):
            if gradient is not None:
                into += gradient
    return total, sums


def row_blocks(n_rows: int, rows: int = ROWS) -> list[slice]:
    """Cut rows into consecutive blocks."""
    return [slice(start, min(start + rows, n_rows)) for start in range(0, n_rows, rows)]
