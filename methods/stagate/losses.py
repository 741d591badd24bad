"""Squared error of the decoder against sparse expression, and the decoder's second use of W1."""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor

from methods.shared.nn.matmul import multiply
from methods.shared.nn.sparse import TiledMatrix, linear_map

STRIPS = 4


def gram(x: Tensor) -> Tensor:
    """Return x^T x, its upper triangle computed in four strips and mirrored; x is n x d."""
    width = x.shape[1]
    step = -(-width // STRIPS)
    out = x.new_empty(width, width)
    for start in range(0, width, step):
        stop = start + step
        out[start:stop, start:] = x[:, start:stop].T @ x[:, start:]
        out[stop:, start:stop] = out[start:stop, stop:].T
    return out


class _SquareError(torch.autograd.Function):
    @staticmethod
    def forward(ctx: Any, projected: Tensor, hidden: Tensor, weight: Tensor) -> Tensor:
        by_weight, by_hidden = gram(weight), gram(hidden)
        ctx.save_for_backward(projected, hidden, weight, by_weight, by_hidden)
        cross = torch.linalg.vecdot(projected, hidden).sum()
        return (by_weight * by_hidden).sum() - 2 * cross

    @staticmethod
    def backward(ctx: Any, *grads: Tensor) -> tuple[Tensor, Tensor, Tensor]:
        projected, hidden, weight, by_weight, by_hidden = ctx.saved_tensors
        twice = 2 * grads[0]
        return (
            hidden * -twice,
            (hidden @ by_weight).sub_(projected).mul_(twice),
            multiply(weight, by_hidden * twice),
        )


def square_error(projected: Tensor, hidden: Tensor, weight: Tensor, square: float) -> Tensor:
    """
    Sum of squares of X - H W^T, exactly, from S = X W, which the encoder has computed anyway.

    |X - H W^T|^2 = |X|^2 - 2 <S, H> + <H^T H, W^T W>.

    Parameters
    ----------
    projected
        S, spots x d.
    hidden
        H, spots x d.
    weight
        W, genes x d.
    square
        Sum of squares of X.
    """
    return square + _SquareError.apply(projected, hidden, weight)


def reuse(weight: Tensor, product: Tensor, matrix: TiledMatrix) -> Tensor:
    """
    Return ``matrix @ weight``, known already, with the gradient going to `weight` alone.

    Parameters
    ----------
    weight
        genes x d.
    product
        Its product with `matrix`, spots x d.
    matrix
        spots x genes.
    """

    def adjoint(grad: Tensor) -> Tensor:
        return matrix.transposed_by_scaled(grad, grad.new_ones(len(grad)))

    return linear_map(weight, lambda _: product.detach(), adjoint)
