"""Highly variable genes, the two flavours in use, on sparse matrices.

Both choose the same genes as scanpy 1.11 without the seconds its import takes.
"""

from __future__ import annotations

import numpy as np
import scipy.sparse as sp

from methods.shared.expression.counts import expressed_genes, gene_moments


def seurat_genes(normalised: sp.csr_matrix, n_genes: int) -> np.ndarray:
    """
    Choose genes by dispersion relative to genes of similar mean (scanpy's default flavour).

    Parameters
    ----------
    normalised
        cells x genes, scaled to equal totals, not logarithmised.
    n_genes
        Genes to choose; all are returned where there are no more.

    Returns
    -------
    Sorted column indices. Genes tied with the last one come in too, as in scanpy.

    Notes
    -----
    Satija et al., Nature Biotechnology 33, 495 (2015), doi 10.1038/nbt.3192.
    """
    if n_genes >= normalised.shape[1]:
        return np.arange(normalised.shape[1])
    mean, variance = gene_moments(normalised)
    mean[mean == 0] = 1e-12
    dispersion = variance / mean
    known = dispersion > 0
    dispersion = np.log(dispersion, out=np.full_like(dispersion, np.nan), where=known)
    bins = _equal_width_bins(np.log1p(mean), 20)
    score = np.full_like(dispersion, np.nan)
    for members in (np.flatnonzero(bins == b) for b in np.unique(bins)):
        usable = members[known[members]]
        if usable.size == 1:
            score[usable] = 1.0
        elif usable.size:
            value = dispersion[usable]
            with np.errstate(invalid="ignore", divide="ignore"):
                score[usable] = (value - value.mean()) / value.std(ddof=1)
    finite = np.sort(score[~np.isnan(score)])[::-1]
    cutoff = finite[min(n_genes, finite.size) - 1] if finite.size else -np.inf
    return np.flatnonzero(np.nan_to_num(score, nan=-np.inf) >= cutoff)


def _equal_width_bins(value: np.ndarray, n_bins: int) -> np.ndarray:
    """Bin as pandas.cut does: equal widths, right edge included."""
    low, high = value.min(), value.max()
    if low == high:
        return np.zeros(len(value), dtype=np.int64)
    return np.searchsorted(np.linspace(low, high, n_bins + 1)[1:-1], value, side="left")


def seurat_v3_genes(counts: sp.csr_matrix, n_genes: int) -> np.ndarray:
    """
    Choose genes by the variance of counts standardised along the mean-variance trend.

    Parameters
    ----------
    counts
        Raw counts, cells x genes.
    n_genes
        Genes to choose; all are returned where there are no more.

    Returns
    -------
    Sorted column indices; ties go to the lower index.

    Raises
    ------
    ValueError
        Where no gene is expressed.

    Notes
    -----
    Stuart et al., Cell 177, 1888 (2019), doi 10.1016/j.cell.2019.05.031.
    """
    expressed_genes(counts)
    n, genes = counts.shape
    if n_genes >= genes:
        return np.arange(genes)
    mean, variance = gene_moments(counts)
    deviation = np.sqrt(10 ** _trend(mean, variance))
    ceiling = deviation * np.sqrt(n) + mean
    clipped = np.minimum(counts.data, ceiling[counts.indices])
    total = np.bincount(counts.indices, weights=clipped, minlength=genes)
    square = np.bincount(counts.indices, weights=clipped**2, minlength=genes)
    score = (n * mean**2 + square - 2 * total * mean) / ((n - 1) * deviation**2)
    return np.sort(np.argsort(-score, kind="stable")[:n_genes])


def _trend(mean: np.ndarray, variance: np.ndarray) -> np.ndarray:
    """Fit log10 variance on log10 mean by local regression; 0 for constant genes.

    A wider span is tried where the usual one is numerically singular, as on few distinct means.
    """
    from skmisc.loess import loess

    varying = variance > 0
    trend = np.zeros(len(mean))
    x, y = np.log10(mean[varying]), np.log10(variance[varying])
    for span in (0.3, 0.6, 1.0):
        try:
            model = loess(x, y, span=span, degree=2)
            model.fit()
        except ValueError:
            continue
        trend[varying] = model.outputs.fitted_values
        return trend
    raise ValueError(
        f"variable genes: no mean-variance trend can be fitted on {varying.sum()} varying genes; "
        "ask for at least as many variable genes as there are genes to skip the selection"
    )
