"""Library-size normalisation, logarithm and scaling of sparse counts."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import scipy.sparse as sp


def expressed_genes(counts: sp.csr_matrix) -> np.ndarray:
    """
    Find the genes with any count.

    Parameters
    ----------
    counts
        cells x genes, not negative.

    Returns
    -------
    Sorted column indices.

    Raises
    ------
    ValueError
        Where there is none.
    """
    times = np.bincount(counts.indices[counts.data != 0], minlength=counts.shape[1])
    found = np.flatnonzero(times)
    if not found.size:
        raise ValueError("counts: every entry is zero; give at least one expressed gene")
    return found


def genes_in_enough_spots(counts: sp.csr_matrix, min_spots: int) -> np.ndarray:
    """
    Find genes seen in enough spots; small and sparse tissues keep genes.

    Parameters
    ----------
    counts
        Raw counts, spots x genes.
    min_spots
        Spots a gene must be seen in, but no more than a fifth of all spots and half of those that
        the commonest gene is seen in.

    Returns
    -------
    Sorted column indices.
    """
    n, genes = counts.shape
    spots = np.bincount(counts.indices[counts.data > 0], minlength=genes)
    return np.flatnonzero(spots >= min(min_spots, n / 5, spots.max() / 2))


def scale_to_total(counts: sp.csr_matrix, target: float | None) -> tuple[sp.csr_matrix, np.ndarray]:
    """
    Scale every cell to the same total.

    Parameters
    ----------
    counts
        cells x genes.
    target
        Total to reach; None takes the median total of the cells that have counts.

    Returns
    -------
    The scaled matrix, float32, and the factor each cell was divided by (1 for empty cells).
    """
    totals = np.asarray(counts.sum(axis=1), dtype=np.float64).ravel()
    filled = totals > 0
    if target is None:
        target = float(np.median(totals[filled])) if filled.any() else 1.0
    factor = np.where(filled, totals / target, 1.0)
    scaled = counts.astype(np.float32)
    scaled.data /= np.repeat(factor, np.diff(counts.indptr)).astype(np.float32)
    return scaled, factor


def log1p(matrix: sp.csr_matrix) -> sp.csr_matrix:
    """Return log(1 + x), entry by entry."""
    return sp.csr_matrix((np.log1p(matrix.data), matrix.indices, matrix.indptr), matrix.shape)


def gene_moments(matrix: sp.csr_matrix) -> tuple[np.ndarray, np.ndarray]:
    """Return the mean and the sample variance (n - 1) of every column, float64."""
    n, genes = matrix.shape
    data = matrix.data.astype(np.float64)
    mean = np.bincount(matrix.indices, weights=data, minlength=genes) / n
    filled = np.bincount(matrix.indices, minlength=genes)
    deviation = data - mean[matrix.indices]
    square = np.bincount(matrix.indices, weights=deviation**2, minlength=genes)
    return mean, (square + (n - filled) * mean**2) / max(n - 1, 1)


@dataclass(frozen=True)
class Scaled:
    """
    A standardised matrix kept sparse: its value is ``sparse + offset``, exactly.

    Parameters
    ----------
    sparse
        cells x genes, float32; zero where the count is zero.
    offset
        Value of every gene where the count is zero, genes.
    """

    sparse: sp.csr_matrix
    offset: np.ndarray


def zscores(matrix: sp.csr_matrix, clip: float | None = None) -> Scaled:
    """
    Standardise every gene to mean 0 and sample deviation 1, then clip at +-`clip`.

    Only non-zero entries differ from their gene's value at zero, so the result is a sparse
    matrix plus one row. Equals ``scanpy.pp.scale(x, max_value=clip)``.
    """
    mean, variance = gene_moments(matrix)
    deviation = np.sqrt(variance)
    deviation[deviation == 0] = 1.0
    bound = np.inf if clip is None else clip
    offset = np.clip(-mean / deviation, -bound, bound)
    gene = matrix.indices
    value = np.clip((matrix.data - mean[gene]) / deviation[gene], -bound, bound)
    shifted = (value - offset[gene]).astype(np.float32)
    return Scaled(sp.csr_matrix((shifted, gene, matrix.indptr), matrix.shape), offset)


def unit_variance(matrix: sp.csr_matrix, clip: float) -> sp.csr_matrix:
    """Divide every gene by its sample deviation without centring and cap it at `clip`.

    Equals ``scanpy.pp.scale(x, zero_center=False, max_value=clip)``.
    """
    deviation = np.sqrt(gene_moments(matrix)[1])
    deviation[deviation == 0] = 1.0
    value = np.minimum(matrix.data / deviation[matrix.indices], clip).astype(np.float32)
    return sp.csr_matrix((value, matrix.indices, matrix.indptr), matrix.shape)


def take_genes(matrix: sp.csr_matrix, genes: np.ndarray) -> sp.csr_matrix:
    """Keep the columns in `genes`, as sorted CSR."""
    taken = sp.csr_matrix(matrix[:, genes])
    taken.sort_indices()
    return taken
