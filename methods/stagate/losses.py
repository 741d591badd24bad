"""The decoder's second use of W1, without a second product."""

from __future__ import annotations

from torch import Tensor

from methods.shared.nn.sparse import TiledMatrix, linear_map


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
