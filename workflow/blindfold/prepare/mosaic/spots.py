"""Expression of spots: sums of real cells, measured by an imperfect instrument."""

from __future__ import annotations

import numpy as np
import scipy.sparse as sp

WEIGHTS = (0.5, 0.3, 0.2)
"""Shares of the three cell types in a domain's own mixture."""


def mix_types(
    domains: int, frequency: np.ndarray, signal: float, rng: np.random.Generator
) -> np.ndarray:
    """Return each domain's mixture of cell types.

    Parameters
    ----------
    domains
        Number of domains, D.
    frequency
        Share of each of T cell types among the real cells: the mixture that all domains have in
        common.
    signal
        Weight of a domain's own mixture, from 0 to 1.
    rng
        Shuffles which types belong to which domain.

    Returns
    -------
    numpy.ndarray
        D x T, rows sum to 1. Domains that follow each other share types, as neighbouring layers do.
    """
    types = rng.permutation(len(frequency))
    own = np.zeros((domains, len(types)))
    for domain in range(domains):
        first = round(domain * len(types) / domains)
        for step, weight in enumerate(WEIGHTS):
            own[domain, types[(first + step) % len(types)]] += weight
    return np.asarray((1 - signal) * frequency / frequency.sum() + signal * own)


def mix_spots(mixture: np.ndarray, position: np.ndarray) -> np.ndarray:
    """Return each spot's mixture of cell types: that of its domain, or one between two domains.

    Parameters
    ----------
    mixture
        D x T, see `mix_types`.
    position
        Position of each of N spots in the sequence of domains, from 0 to D - 1.

    Returns
    -------
    numpy.ndarray
        N x T, rows sum to 1; linear between two domains.
    """
    before = np.floor(position).astype(int)
    after = np.minimum(before + 1, len(mixture) - 1)
    share = (position - before)[:, None]
    return np.asarray((1 - share) * mixture[before] + share * mixture[after])


def choose_cells(
    mixture: np.ndarray, type_of: np.ndarray, mean: float, rng: np.random.Generator
) -> sp.csr_matrix:
    """Choose the real cells that make up each spot.

    Parameters
    ----------
    mixture
        N spots x types, see `mix_spots`.
    type_of
        Type code of each of M real cells; every type has at least one.
    mean
        Mean number of cells in a spot, at least 1.
    rng
        Random generator.

    Returns
    -------
    scipy.sparse.csr_matrix
        N x M, how often a spot contains a cell; each row sums to at least 1.
    """
    number = 1 + rng.poisson(mean - 1, len(mixture))
    spot = np.repeat(np.arange(len(mixture)), number)
    edges = mixture.cumsum(axis=1)[spot]
    kind = (rng.random(len(spot))[:, None] * edges[:, -1:] >= edges).sum(axis=1)
    by_type = np.argsort(type_of, kind="stable")
    size = np.bincount(type_of, minlength=mixture.shape[1])
    start = np.cumsum(size) - size
    cell = by_type[start[kind] + (rng.random(len(spot)) * size[kind]).astype(int)]
    shape = (len(mixture), len(type_of))
    return sp.coo_matrix((np.ones(len(spot)), (spot, cell)), shape=shape).tocsr()


def observe(
    counts: sp.csr_matrix, capture: float, spread: float, dropout: float, rng: np.random.Generator
) -> tuple[sp.csr_matrix, sp.csr_matrix]:
    """Simulate the measurement: a depth for each spot, then dropout of single entries.

    Parameters
    ----------
    counts
        Spots x genes before the measurement.
    capture
        Median over spots of the fraction of counts that is measured (binomial thinning).
    spread
        Standard deviation of the logarithm of that fraction; it never exceeds 1.
    dropout
        Chance that an entry of 1 is lost; an entry of n is lost with chance ``dropout / n``.
    rng
        Random generator.

    Returns
    -------
    tuple of scipy.sparse.csr_matrix
        Spots x genes, float32 integers: measured, and as measured without dropout. A spot that
        would be empty keeps its largest entry.
    """
    counts = sp.csr_matrix(counts)
    counts.sort_indices()
    depth = np.minimum(capture * np.exp(rng.normal(0, spread, counts.shape[0])), 1)
    per_entry = np.repeat(depth, np.diff(counts.indptr))
    captured = rng.binomial(counts.data.astype(np.int64), per_entry)
    lost = rng.random(len(captured)) < dropout / np.maximum(captured, 1)
    measured, complete = counts.astype(np.float32), counts.astype(np.float32)
    measured.data = np.where(lost, 0, captured).astype(np.float32)
    for row in np.flatnonzero(np.asarray(measured.sum(axis=1)).ravel() == 0):
        span = slice(counts.indptr[row], counts.indptr[row + 1])
        measured.data[span.start + int(np.argmax(counts.data[span]))] = 1
    complete.data = np.maximum(captured, measured.data).astype(np.float32)
    for matrix in (measured, complete):
        matrix.eliminate_zeros()
    return measured, complete
