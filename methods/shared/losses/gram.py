"""Squared errors through Gram matrices: neither product is formed."""

from __future__ import annotations

import torch
from torch import Tensor
from torch.nn.functional import normalize


def squared_error(hidden: Tensor, weight: Tensor, projected: Tensor, square: float) -> Tensor:
    """
    Sum the squares of X - H W, exactly, from S = X W^T.

    |X - H W|^2 = |X|^2 - 2 <S, H> + <H^T H, W W^T>.

    Parameters
    ----------
    hidden
        H, cells x d.
    weight
        W, d x genes.
    projected
        S, cells x d.
    square
        Sum of squares of X.
    """
    cross = torch.linalg.vecdot(projected, hidden).sum()
    own = ((hidden.T @ hidden) * (weight @ weight.T)).sum()
    return square - 2 * cross + own


def gram_distance(first: Tensor, second: Tensor) -> Tensor:
    """
    Average over pairs of cells the squared difference between two views' similarities.

    ``|U U^T - V V^T|^2 / N^2`` from the d x d products of U and V, the views with columns
    centred and rows scaled to unit length.

    Parameters
    ----------
    first, second
        Views of the same cells, cells x d each.
    """
    u, v = (normalize(x - x.mean(dim=0), dim=1) for x in (first, second))
    grams = (u.T @ u).square().sum() + (v.T @ v).square().sum() - 2 * (u.T @ v).square().sum()
    return grams / len(u) ** 2
