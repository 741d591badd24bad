"""Squared errors through Gram matrices: neither product is formed."""

from __future__ import annotations

from torch import Tensor
from torch.nn.functional import normalize

from methods.shared.nn.sparse import SparseMatrix, sum_over_edges


def gram_mse(latent: Tensor, decoder: Tensor, target: SparseMatrix, target_square: float) -> Tensor:
    """
    Mean square error of ``latent @ decoder`` against a sparse target, exactly.

    Uses |X - YW|^2 = |X|^2 - 2 <X, YW> + <Y^T Y, W W^T>, with the middle term over non-zeros.

    Parameters
    ----------
    latent
        Y, cells x d.
    decoder
        W, d x genes.
    target
        X, cells x genes.
    target_square
        Sum of squares of X.
    """
    cross = sum_over_edges(latent, decoder.T, target)
    square = ((latent.T @ latent) * (decoder @ decoder.T)).sum()
    return (target_square - 2 * cross + square) / (latent.shape[0] * decoder.shape[1])


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
