"""Losses of both stages."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
import scipy.sparse as sp
import torch
from torch import Tensor
from torch.nn.functional import (
    binary_cross_entropy_with_logits,
    cross_entropy,
    log_softmax,
    normalize,
)

from methods.shared.losses.with_gradient import blockwise_loss, row_blocks

TINY = 1e-12
PAIRS_AT_ONCE = 2**16
TEMPERATURE = 0.1


def draw_negatives(positives: sp.csr_matrix, rng: np.random.Generator) -> np.ndarray:
    """
    Draw for every entry another column of its row that has none, uniformly.

    Parameters
    ----------
    positives
        Graph with loops, sorted, spots x spots.
    rng
        Source of the columns.

    Returns
    -------
    Pairs (row, column), negatives x 2; none of rows that are full.
    """
    n = positives.shape[0]
    degree = np.diff(positives.indptr)
    row = np.repeat(np.arange(n), np.where(degree < n, degree, 0))
    taken = np.repeat(np.arange(n), degree) * n + positives.indices
    column = np.zeros_like(row)
    pending = np.arange(len(row))
    while pending.size:
        column[pending] = rng.integers(n, size=pending.size)
        key = row[pending] * n + column[pending]
        at = np.minimum(np.searchsorted(taken, key), len(taken) - 1)
        pending = pending[taken[at] == key]
    return np.column_stack([row, column])


class Pairs(NamedTuple):
    """Pairs of spots, edges first."""

    rows: Tensor
    columns: Tensor
    target: Tensor  # 1 for edges, 0 for negatives


def labelled_pairs(positives: sp.csr_matrix, negatives: np.ndarray, device: str) -> Pairs:
    """Join the edges of a graph and negatives, pairs x 2."""
    edges = np.column_stack(positives.nonzero())
    pairs = torch.as_tensor(np.concatenate([edges, negatives]).astype(np.int64), device=device)
    target = torch.arange(len(pairs), device=device) < len(edges)
    return Pairs(pairs[:, 0].contiguous(), pairs[:, 1].contiguous(), target.float())


def pair_entropy(z: Tensor, pairs: Pairs) -> Tensor:
    """Average over pairs the cross-entropy of ``sigmoid(z_i . z_j)`` and the target."""

    def block(part: slice, x: Tensor) -> Tensor:
        ends = (x.index_select(0, side[part]) for side in (pairs.rows, pairs.columns))
        target = pairs.target[part].to(x.dtype)
        return binary_cross_entropy_with_logits(torch.linalg.vecdot(*ends), target, reduction="sum")

    total = blockwise_loss(block, [z], row_blocks(len(pairs.target), PAIRS_AT_ONCE))
    return (total / len(pairs.target)).to(z.dtype)


def prior(mean: Tensor) -> Tensor:
    """Divergence of the posterior, of unit variance, from a standard normal, over spots twice."""
    return mean.square().sum() / (2 * len(mean) ** 2)


class Agreement(NamedTuple):
    """How the reconstruction compares with each spot's components."""

    error: Tensor  # squared distance, spots
    cosine: Tensor  # spots


def agreement(hidden: Tensor, decoder: Tensor, against: Tensor, square: Tensor) -> Agreement:
    """
    Compare X with H W without forming it.

    Parameters
    ----------
    hidden
        H, spots x d.
    decoder
        W, d x components.
    against
        X W^T, spots x d.
    square
        Squared length of every row of X, spots.
    """
    cross = torch.linalg.vecdot(hidden, against)
    own = torch.linalg.vecdot(hidden @ (decoder @ decoder.T), hidden)
    cosine = cross * torch.rsqrt(own.clamp_min(TINY)) * torch.rsqrt(square.clamp_min(TINY))
    return Agreement(own - 2 * cross + square, cosine)


def cosine_error(cosine: Tensor) -> Tensor:
    """Average the cube of one minus the cosine: 0 for proportional rows, 8 for opposite ones."""
    return (1 - cosine).pow(3).mean()


def info_nce(first: Tensor, second: Tensor) -> Tensor:
    """
    Cross-entropy of finding a spot's other view in the batch, averaged over both directions.

    Parameters
    ----------
    first, second
        Views, n x d each; compared by cosines over 0.1.
    """
    logits = normalize(first, dim=1) @ normalize(second, dim=1).T / TEMPERATURE
    own = torch.arange(len(logits), device=logits.device)
    return (cross_entropy(logits, own) + cross_entropy(logits.T, own)) / 2


def similarity_divergence(first: Tensor, second: Tensor) -> Tensor:
    """
    Compare how similar the spots of a batch are to each other in both views.

    Parameters
    ----------
    first, second
        Views, n x d each. Cosines within a view over 0.1, the own one included, pass a softmax.

    Returns
    -------
    Mean over spots of the average of both divergences.
    """
    a, b = (_log_neighbours(view) for view in (first, second))
    return ((a.exp() - b.exp()) * (a - b)).sum(dim=1).mean() / 2


def _log_neighbours(view: Tensor) -> Tensor:
    unit = normalize(view, dim=1)
    return log_softmax(unit @ unit.T / TEMPERATURE, dim=1)
