"""Products of a fixed sparse matrix with trainable dense ones."""

from __future__ import annotations

import copy
import warnings
from typing import Any

import numpy as np
import scipy.sparse as sp
import torch
from torch import Tensor


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
        return _Product.apply(dense, self)


class _Product(torch.autograd.Function):
    @staticmethod
    def forward(ctx: Any, dense: Tensor, matrix: SparseMatrix) -> Tensor:
        ctx.matrix = matrix
        return matrix.forward @ dense.contiguous()

    @staticmethod
    def backward(ctx: Any, *grads: Tensor) -> tuple[Tensor, None]:
        return ctx.matrix.transposed @ grads[0].contiguous(), None


class _Inner(torch.autograd.Function):
    @staticmethod
    def forward(ctx: Any, rows: Tensor, columns: Tensor, matrix: SparseMatrix) -> Tensor:
        product = matrix.forward @ columns.contiguous()
        ctx.matrix = matrix
        ctx.save_for_backward(rows, product)
        return torch.linalg.vecdot(rows, product).sum()

    @staticmethod
    def backward(ctx: Any, *grads: Tensor) -> tuple[Tensor, Tensor, None]:
        rows, product = ctx.saved_tensors
        scale = grads[0]
        return scale * product, scale * (ctx.matrix.transposed @ rows.contiguous()), None


def inner_product(rows: Tensor, columns: Tensor, matrix: SparseMatrix) -> Tensor:
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
    return _Inner.apply(rows, columns, matrix)
