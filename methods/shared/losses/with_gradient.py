"""A loss whose gradient is made together with its value, block by block."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from typing import Any

import torch
from torch import Tensor


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
    """
    total = torch.zeros((), dtype=torch.float64, device=parameters[0].device)
    sums = [torch.zeros_like(parameter) for parameter in parameters]
    for part in parts:
        loss = part()
        gradients = torch.autograd.grad(loss, parameters, allow_unused=True)
        total += loss.detach()
        for into, gradient in zip(sums, gradients, strict=True):
            if gradient is not None:
                into += gradient
    return with_gradient(total.to(parameters[0].dtype), parameters, sums)
