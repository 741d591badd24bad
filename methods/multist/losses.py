"""Losses of both stages."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
import scipy.sparse as sp
import torch
from torch import Tensor
from torch.nn.functional import cross_entropy, embedding_bag, log_softmax, normalize, softplus

from methods.shared.losses.with_gradient import with_gradient

TINY = 1e-12
EDGES = 2**16  # compared at a time
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


class Pattern(NamedTuple):
    """Pairs sorted by row, and the same by column."""

    rows: Tensor
    columns: Tensor
    target: Tensor  # 1 for edges, 0 for negatives
    starts: Tensor  # of each row
    order: Tensor  # of the pairs by column
    column_starts: Tensor


def pattern(positives: sp.csr_matrix, negatives: np.ndarray, device: str) -> Pattern:
    """Join edges and negatives, pairs x 2, into one pattern of pairs."""
    n, edges = positives.shape[0], np.column_stack(positives.nonzero())
    pairs = np.concatenate([edges, negatives])
    target = np.arange(len(pairs)) < len(edges)
    order = np.argsort(pairs[:, 0], kind="stable")
    rows, columns = pairs[order].T
    arrays = (
        rows,
        columns,
        target[order].astype(np.float32),
        _starts(rows, n),
        np.argsort(columns, kind="stable"),
        _starts(columns, n),
    )
    return Pattern(*(torch.as_tensor(np.ascontiguousarray(a), device=device) for a in arrays))


def _starts(keys: np.ndarray, n: int) -> np.ndarray:
    return np.concatenate([[0], np.cumsum(np.bincount(keys, minlength=n))])


def _bags(columns: Tensor, z: Tensor, starts: Tensor, weights: Tensor) -> Tensor:
    """Add weighted rows of z up within each bag."""
    return embedding_bag(
        columns, z, starts, mode="sum", per_sample_weights=weights, include_last_offset=True
    )


def pair_entropy(z: Tensor, pairs: Pattern) -> Tensor:
    """Average over pairs the cross-entropy of ``sigmoid(z_i . z_j)`` and the target."""
    with torch.no_grad():
        count, target = len(pairs.rows), pairs.target.to(z.dtype)
        logits = z.new_empty(count)
        for start in range(0, count, EDGES):
            at = slice(start, start + EDGES)
            left, right = (z.index_select(0, ends[at]) for ends in (pairs.rows, pairs.columns))
            logits[at] = torch.linalg.vecdot(left, right)
        slope = (torch.sigmoid(logits) - target) / count
        gradient = _bags(pairs.columns, z, pairs.starts, slope)
        gradient += _bags(pairs.rows[pairs.order], z, pairs.column_starts, slope[pairs.order])
        value = (softplus(logits) - target * logits).mean()
    return with_gradient(value, [z], [gradient])


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
