"""Products of a sparse matrix with wide dense ones, a strip of columns at a time."""

from __future__ import annotations

from typing import Any

import scipy.sparse as sp
import torch
from torch import Tensor
from torch.nn.functional import embedding_bag

from methods.shared.recycled import empty
from methods.shared.sparse import SparseMatrix

TILE = 128
READS = 16  # of a row of the dense factor, from which on strips are worth their copies


class TiledMatrix:
    """
    A constant sparse matrix for products with hundreds of columns or more.

    A row of the product is a weighted bag of rows of the dense factor. On the CPU torch's kernel
    for bags keeps the sum in registers, and where rows are read often a strip of columns stays in
    the cache where the whole does not: together two to four times as fast as torch's sparse
    products, values the same.

    Parameters
    ----------
    matrix
        rows x columns.
    device
        Torch device; strips and bags are for the CPU only.
    """

    def __init__(self, matrix: sp.csr_matrix, device: str = "cpu") -> None:
        self.matrix = SparseMatrix(matrix, device)
        self.shape = matrix.shape

    def __matmul__(self, dense: Tensor) -> Tensor:
        """Multiply by columns x d; differentiable in `dense`."""
        return _TiledProduct.apply(dense, self.matrix)

    def transposed_by_scaled(self, dense: Tensor, scale: Tensor) -> Tensor:
        """Multiply the transpose by ``scale[:, None] * dense``, rows x d, never forming that."""
        matrix = self.matrix.transposed
        weights = matrix.values() * scale.to(matrix.dtype)[matrix.col_indices()]
        return _by_strips(matrix, weights, dense)


def _by_strips(matrix: Tensor, weights: Tensor, dense: Tensor) -> Tensor:
    """Multiply the pattern of `matrix` with other weights by `dense`."""
    starts, columns = matrix.crow_indices(), matrix.col_indices()
    if dense.device.type != "cpu":
        weighted = torch.sparse_csr_tensor(starts, columns, weights, size=matrix.shape)
        return weighted @ dense.contiguous()
    weights = weights.to(dense.dtype)

    def bags(part: Tensor) -> Tensor:
        return embedding_bag(
            columns, part, starts, mode="sum", per_sample_weights=weights, include_last_offset=True
        )

    rows, width = dense.shape
    if width <= TILE or len(columns) <= READS * rows:
        return bags(dense.contiguous())
    out = empty((len(starts) - 1, width), dense)
    strip = dense.new_empty(rows * TILE)
    for start in range(0, width, TILE):
        at = slice(start, min(start + TILE, width))
        part = strip[: rows * (at.stop - at.start)].view(rows, -1)
        out[:, at] = bags(part.copy_(dense[:, at]))
    return out


class _TiledProduct(torch.autograd.Function):
    @staticmethod
    def forward(ctx: Any, dense: Tensor, matrix: SparseMatrix) -> Tensor:
        ctx.matrix = matrix
        return _by_strips(matrix.forward, matrix.forward.values(), dense)

    @staticmethod
    def backward(ctx: Any, *grads: Tensor) -> tuple[Tensor, None]:
        matrix = ctx.matrix.transposed
        return _by_strips(matrix, matrix.values(), grads[0]), None
