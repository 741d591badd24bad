"""Scaled expression of spots, as graph encoders take it."""

from __future__ import annotations

import numpy as np
import scipy.sparse as sp

from methods.shared.expression.counts import log1p, scale_to_total, take_genes, unit_variance
from methods.shared.expression.hvg import seurat_v3_genes

SHARE = 0.2  # of the spots; `min_spots` asks for no more than this


def filtered_expression(counts: sp.csr_matrix, min_spots: int, n_genes: int) -> sp.csr_matrix:
    """
    Choose genes, scale spots to equal totals over them, then genes to unit deviation.

    Parameters
    ----------
    counts
        Raw counts, spots x genes.
    min_spots
        Spots a gene must be seen in, but no more than a fifth of all spots and half of those
        that the commonest gene is seen in: small and sparse tissues keep genes.
    n_genes
        Variable genes (seurat_v3); all where there are fewer.

    Returns
    -------
    Not logarithmic, not centred, at most 10; as sparse as the counts.

    Raises
    ------
    ValueError
        Where no gene is expressed.

    Notes
    -----
    Wang et al., Briefings in Bioinformatics 24, bbad262 (2023), and their code.
    """
    n, genes = counts.shape
    spots = np.bincount(counts.indices[counts.data > 0], minlength=genes)
    least = np.ceil(min(min_spots, SHARE * n, spots.max() / 2))
    seen = np.flatnonzero(spots >= least)
    counts = take_genes(counts, seen)
    chosen = take_genes(counts, seurat_v3_genes(counts, n_genes))
    return unit_variance(scale_to_total(chosen, 1e4)[0], clip=10.0)


def scaled_log_expression(counts: sp.csr_matrix, n_genes: int) -> sp.csr_matrix:
    """
    Choose genes on raw counts, then scale, take logarithms and divide by deviations.

    Parameters
    ----------
    counts
        Raw counts, spots x genes.
    n_genes
        Variable genes (seurat_v3); all where there are fewer.

    Returns
    -------
    log(1 + count per 10,000) over its deviation, at most 10, not centred: as sparse as the counts.
    """
    chosen = seurat_v3_genes(counts, n_genes)
    logged = log1p(scale_to_total(counts, 1e4)[0])
    return unit_variance(take_genes(logged, chosen), clip=10.0)
