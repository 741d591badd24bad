"""Batch effects of known strength."""

from __future__ import annotations

import numpy as np
import scipy.sparse as sp


def draw_factors(batches: int, genes: int, strength: float, rng: np.random.Generator) -> np.ndarray:
    """Return the factor of each batch on each gene.

    Parameters
    ----------
    batches, genes
        Their numbers.
    strength
        Standard deviation of the factors' natural logarithm, whose mean is 0.
    rng
        Random generator.

    Returns
    -------
    numpy.ndarray
        batches x genes, positive.
    """
    return np.exp(strength * rng.standard_normal((batches, genes)))


def scale_counts(
    counts: sp.csr_matrix, factor: np.ndarray, batch: np.ndarray, rng: np.random.Generator
) -> sp.csr_matrix:
    """Multiply counts by the factors of their batch, rounded at random so that means are exact.

    Parameters
    ----------
    counts
        N x genes.
    factor
        batches x genes.
    batch
        Batch code of each of N spots.
    rng
        Rounds ``x`` up with a chance of ``x - floor(x)``.

    Returns
    -------
    scipy.sparse.csr_matrix
        N x genes, integers; entries that become 0 stay stored, so that a row keeps its entries.
    """
    scaled = sp.csr_matrix(counts, dtype=np.float64, copy=True)
    row = np.repeat(batch, np.diff(scaled.indptr))
    exact = scaled.data * factor[row, scaled.indices]
    scaled.data = np.floor(exact) + (rng.random(len(exact)) < exact % 1)
    return scaled
