"""Dropout whose masks take one byte an entry and come from a generator of their own."""

from __future__ import annotations

from typing import Any, NamedTuple

import torch
from torch import Tensor

LEVELS = 2**16


class Mask(NamedTuple):
    """Which entries stay, and what they are multiplied by."""

    keep: Tensor  # bool
    scale: float


def draw_mask(shape: tuple[int, int], rate: float, generator: torch.Generator) -> Mask:
    """
    Draw a mask; four entries share one 64-bit number, several times as fast as torch's own.

    Parameters
    ----------
    shape
        Of the array it is for.
    rate
        Probability of a zero, below 1; rounded to 1/65,536.
    generator
        Its device is that of the mask.
    """
    count = shape[0] * shape[1]
    bits = torch.empty((count + 3) // 4, dtype=torch.int64, device=generator.device)
    bits.random_(-(2**63), None, generator=generator)
    dropped = round(rate * LEVELS)
    keep = bits.view(torch.int16)[:count] >= dropped - LEVELS // 2
    return Mask(keep.view(shape), LEVELS / (LEVELS - dropped))


class _LeakyDropout(torch.autograd.Function):
    @staticmethod
    def forward(ctx: Any, x: Tensor, slope: float, mask: Mask) -> Tensor:
        torch.nn.functional.leaky_relu_(x, slope)
        x.mul_(mask.keep).mul_(mask.scale)
        ctx.mark_dirty(x)
        ctx.save_for_backward(x, mask.keep)
        ctx.slope, ctx.scale = slope, mask.scale
        return x

    @staticmethod
    def backward(ctx: Any, *grads: Tensor) -> tuple[Tensor, None, None]:
        y, keep = ctx.saved_tensors
        grad = torch.where(y > 0, grads[0], grads[0] * ctx.slope)
        return grad.mul_(keep).mul_(ctx.scale), None, None


def leaky_dropout(x: Tensor, slope: float, mask: Mask | None) -> Tensor:
    """
    Apply leaky ReLU and then dropout in the memory of `x`.

    Parameters
    ----------
    x
        Any shape; overwritten.
    slope
        Of the negative side.
    mask
        None drops nothing.
    """
    if mask is None:
        return torch.nn.functional.leaky_relu_(x, slope)
    return _LeakyDropout.apply(x, slope, mask)


class _DroppedProduct(torch.autograd.Function):
    @staticmethod
    def forward(ctx: Any, x: Tensor, weight: Tensor, mask: Mask) -> Tensor:
        ctx.save_for_backward(x, weight, mask.keep)
        ctx.scale = mask.scale
        return ((x * mask.keep) @ weight).mul_(mask.scale)

    @staticmethod
    def backward(ctx: Any, *grads: Tensor) -> tuple[Tensor, Tensor, None]:
        x, weight, keep = ctx.saved_tensors
        grad = grads[0] * ctx.scale
        return (grad @ weight.T).mul_(keep), (x * keep).T @ grad, None


def dropped_product(x: Tensor, weight: Tensor, mask: Mask | None) -> Tensor:
    """
    Multiply ``dropout(x)`` by a matrix without keeping a second copy of `x`.

    Parameters
    ----------
    x
        cells x d.
    weight
        d x o.
    mask
        None drops nothing.
    """
    return x @ weight if mask is None else _DroppedProduct.apply(x, weight, mask)
