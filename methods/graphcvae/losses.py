"""The three losses: reconstruction, contrast, divergence of the posterior."""

from __future__ import annotations

from collections.abc import Callable

import torch
from torch import Tensor
from torch.nn.functional import softplus


def reconstruction_error(
    latent: Tensor,
    against: Tensor,
    decoder: Tensor,
    bias: Tensor,
    totals: tuple[float, Tensor],
) -> Tensor:
    """
    Mean square of X - (Z V + c) without forming it.

    Parameters
    ----------
    latent
        Z, spots x d.
    against
        X V^T, spots x d.
    decoder, bias
        V, d x genes, and c, genes.
    totals
        Sum of squares of X, and its column sums.
    """
    square, columns = totals
    cross = (latent * against).sum() + columns @ bias
    ones = torch.ones_like(latent[:, :1])
    rows = torch.cat([latent, ones], dim=1)
    weights = torch.cat([decoder, bias[None]])
    own = ((rows.T @ rows) * (weights @ weights.T)).sum()
    return (square - 2 * cross + own) / (len(latent) * decoder.shape[1])


def divergence(mean: Tensor, logvar: Tensor) -> Tensor:
    """Average over entries the divergence of the posterior from a standard normal."""
    return -0.5 * (1 + logvar - mean.square() - logvar.exp()).mean()


def contrast(
    agreement: Callable[[Tensor, Tensor], Tensor], latent: Tensor, own: Tensor, other: Tensor
) -> Tensor:
    """
    Sum the two discriminator losses.

    Parameters
    ----------
    agreement
        Logit of rows and summaries.
    latent
        z, spots x d.
    own, other
        Summaries of the tissue and of the corrupted one, spots x d. The opponent of z is the
        corrupted summary, not the corrupted latent, in both losses.
    """
    positive = softplus(-agreement(latent, own)) + softplus(-agreement(other, other))
    negative = softplus(agreement(other, own)) + softplus(agreement(latent, other))
    return 0.5 * (positive + negative).mean()
