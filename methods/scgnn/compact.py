"""Arrays without the columns that are zero in every cell of a block.

After a ReLU many units rest in all cells of a block. They add nothing to a product and receive no
gradient, so leaving them out changes nothing but the order of the sums, and saves their share.
"""

from __future__ import annotations

from typing import NamedTuple

import torch
from torch import Tensor

LEAST_CELLS = 64  # in smaller blocks copying weights costs what the products save
MOST = 0.9  # share of columns above which all are kept


class Compact(NamedTuple):
    """Some columns of an array."""

    values: Tensor  # cells x columns kept
    columns: Tensor | None  # which of the array's they are, ascending; None for all


def compact(values: Tensor) -> Compact:
    """Leave out zero columns of an array without negative values, if that pays."""
    if len(values) < LEAST_CELLS:
        return Compact(values, None)
    columns = torch.nonzero(values.amax(dim=0) != 0)[:, 0]
    if len(columns) > MOST * values.shape[1]:
        return Compact(values, None)
    return Compact(values.index_select(1, columns), columns)


def pick(matrix: Tensor, columns: Tensor | None, dim: int) -> Tensor:
    """Copy some rows (`dim` 0) or columns (1); None for all, not copied."""
    return matrix if columns is None else matrix.index_select(dim, columns)


def add_to(total: Tensor, part: Tensor, at: Tensor | None, dim: int) -> None:
    """Add to some rows (`dim` 0) or columns (1) of `total`, None for all, in place."""
    if at is None:
        total += part
    else:
        total.index_add_(dim, at, part)


def add_product(
    total: Tensor, left: Tensor, right: Tensor, rows: Tensor | None, columns: Tensor | None
) -> None:
    """
    Add ``left^T right`` to some rows and columns of `total`, in place.

    Parameters
    ----------
    total
        n x m.
    left, right
        cells x rows and cells x columns.
    rows, columns
        Where the product belongs, None for all.
    """
    if rows is None and columns is None:
        total.addmm_(left.T, right)
        return
    product = left.T @ right
    if columns is not None:
        wide = product.new_zeros(len(product), total.shape[1])
        product = wide.scatter_(1, columns.expand(len(product), -1), product)
    add_to(total, product, rows, 0)
