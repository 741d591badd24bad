"""Products of a fixed sparse matrix with trainable dense ones."""

from __future__ import annotations

import copy
import warnings
from collections.abc import Callable
from typing import Any

import numpy as np
import scipy.sparse as sp
import torch
from torch import Tensor
from torch.nn.functional import embedding_bag

Map = Callable[[Tensor], Tensor]


def csr_tensor(matrix: sp.csr_matrix, device: str) -> Tensor:
    """Copy a SciPy CSR matrix to a torch one, float32 unless it is float64."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", UserWarning)  # "CSR support is in beta"
        return torch.sparse_csr_tensor(
            torch.from_numpy(matrix.indptr.astype(np.int64)),
            torch.from_numpy(matrix.indices.astype(np.int64)),
            torch.from_numpy(np.ascontiguousarray(matrix.data)),
            size=matrix.shape,
        ).to(device)


class SparseMatrix:
    """
    A constant CSR matrix and its transpose, so that a backward pass transposes nothing.

    Parameters
    ----------
    matrix
        rows x columns.
    device
        Torch device.
    """

    def __init__(self, matrix: sp.csr_matrix, device: str = "cpu") -> None:
        self.forward = csr_tensor(matrix, device)
        self.transposed = csr_tensor(matrix.T.tocsr(), device)

    @property
    def T(self) -> SparseMatrix:
        """The transpose, in the same memory."""
        turned = copy.copy(self)
        turned.forward, turned.transposed = self.transposed, self.forward
        return turned

    def __matmul__(self, dense: Tensor) -> Tensor:
        """Multiply by columns x d; differentiable in `dense`."""
        forward, transposed = self.forward, self.transposed
        return linear_map(
            dense, lambda x: forward @ x.contiguous(), lambda x: transposed @ x.contiguous()
        )


class _LinearMap(torch.autograd.Function):
    @staticmethod
    def forward(ctx: Any, dense: Tensor, apply: Map, adjoint: Map) -> Tensor:
        ctx.adjoint = adjoint
        return apply(dense)

    @staticmethod
    def backward(ctx: Any, *grads: Tensor) -> tuple[Tensor, None, None]:
        return ctx.adjoint(grads[0]), None, None


def linear_map(dense: Tensor, apply: Map, adjoint: Map) -> Tensor:
    """
    Apply a constant linear map whose adjoint is known; differentiable in `dense`.

    With the plain formula, ``apply(dense)``, autograd transposes a sparse matrix anew in every
    backward pass: epochs of GraphST take 3.4 to 4.5 times as long, of STAGATE 2.4 to 3.0.

    Parameters
    ----------
    dense
        What is mapped.
    apply, adjoint
        The map, and the one that takes gradients back.
    """
    return _LinearMap.apply(dense, apply, adjoint)


def sum_over_edges(rows: Tensor, columns: Tensor, matrix: SparseMatrix) -> Tensor:
    """
    Sum ``matrix * (rows columns^T)`` over the non-zeros of `matrix`, forming no dense product.

    Parameters
    ----------
    rows
        n x d.
    columns
        m x d.
    matrix
        n x m.
    """
    return torch.linalg.vecdot(rows, matrix @ columns).sum()


TILE = 128
READS = 16  # of a row of the dense factor, from which on strips are worth their copies


class TiledMatrix:
    """
    A constant sparse matrix for products with hundreds of columns or more.

    A row of the product is a weighted bag of rows of the dense factor. On the CPU torch's kernel
    for bags keeps the sum in registers, and where rows are read often a strip of columns stays in
    the cache where the whole does not. The plain formula, torch's sparse product, has the same
    values; epochs take up to 2.6 times as long with it (scRCL), 3.7 (GraphCVAE), 2.5 (STAGATE).

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
        forward, transposed = self.matrix.forward, self.matrix.transposed
        return linear_map(
            dense,
            lambda x: _by_strips(forward, forward.values(), x),
            lambda x: _by_strips(transposed, transposed.values(), x),
        )

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
    out = dense.new_empty(len(starts) - 1, width)
    strip = dense.new_empty(rows * TILE)
    for start in range(0, width, TILE):
        at = slice(start, min(start + TILE, width))
        part = strip[: rows * (at.stop - at.start)].view(rows, -1)
        out[:, at] = bags(part.copy_(dense[:, at]))
    return out
