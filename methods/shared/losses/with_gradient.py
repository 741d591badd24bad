"""A loss that is a sum over parts of the data, with the memory of one part."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from typing import Any

import torch
from torch import Tensor


class _WithGradient(torch.autograd.Function):
    @staticmethod
    def forward(ctx: Any, value: Tensor, count: int, *tensors: Tensor) -> Tensor:
        ctx.save_for_backward(*tensors[:count])  # the gradients; the rest are the parameters
        return value.clone()

    @staticmethod
    def backward(ctx: Any, *grads: Tensor) -> tuple[Tensor | None, ...]:
        gradients = [grads[0] * saved for saved in ctx.saved_tensors]
        return None, None, *(None for _ in gradients), *gradients


def accumulated_loss(parts: Iterable[Callable[[], Tensor]], parameters: Sequence[Tensor]) -> Tensor:
    """
    Sum the losses of parts, differentiating each before the next is evaluated.

    Exact: the gradient of a sum is the sum of gradients. What is returned can be transformed and
    differentiated like any scalar.

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
    return _WithGradient.apply(total.to(parameters[0].dtype), len(sums), *sums, *parameters)
