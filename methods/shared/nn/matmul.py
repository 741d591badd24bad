"""Large dense products, by the fastest single-precision kernel at hand."""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor

from methods.shared.nn.recycled import empty

SMALL = 64  # rows or columns below which nothing is gained
PIECE = 2**24  # bytes of a result that the kernel makes at once


def multiply(a: Tensor, b: Tensor) -> Tensor:
    """
    Multiply two matrices without a gradient.

    torch leaves float32 products to MKL; oneDNN, which torch also ships, was measured to be up to
    half as fast again on a recent AMD processor.

    Parameters
    ----------
    a, b
        n x m and m x d; where they have gaps, or `a` is a transposed view, they are copied.

    Returns
    -------
    n x d, equal to ``a @ b`` up to rounding.
    """
    if a.device.type != "cpu" or a.dtype != torch.float32 or not _onednn():
        return a @ b
    if min(*a.shape, b.shape[1]) < SMALL:
        return a @ b
    first = a if a.is_contiguous() else empty(a.shape, a).copy_(a)
    second = gapless(b).T
    rows = max(PIECE // (b.shape[1] * b.element_size()), SMALL)
    if len(a) <= rows:
        return _kernel(first, second)
    out = empty((len(a), b.shape[1]), a)
    for start in range(0, len(a), rows):
        out[start : start + rows] = _kernel(first[start : start + rows], second)
    return out


def _kernel(a: Tensor, b: Tensor) -> Tensor:
    """Multiply by the transpose of `b`."""
    out: Tensor = torch.ops.mkldnn._linear_pointwise(a, b, None, "none", [], "")
    return out


def gapless(a: Tensor) -> Tensor:
    """Return a matrix without gaps between its rows or columns: on others oneDNN crawls."""
    return a if a.is_contiguous() or a.T.is_contiguous() else a.contiguous()


def _onednn() -> bool:
    """Tell whether torch has oneDNN's product (of its compiler) and it may be used."""
    backend = torch.backends.mkldnn
    known = hasattr(torch.ops.mkldnn, "_linear_pointwise")
    return (
        known
        and torch.backends.mkl.is_available()
        and bool(backend.is_available() and backend.enabled)
    )


class _Product(torch.autograd.Function):
    @staticmethod
    def forward(ctx: Any, a: Tensor, b: Tensor) -> Tensor:
        ctx.save_for_backward(a, b)
        return multiply(a, b)

    @staticmethod
    def backward(ctx: Any, *grads: Tensor) -> tuple[Tensor, Tensor]:
        a, b = ctx.saved_tensors
        return multiply(grads[0], b.T), multiply(a.T, grads[0])


def product(a: Tensor, b: Tensor) -> Tensor:
    """Multiply as `multiply` does, differentiable in both."""
    return _Product.apply(a, b)
