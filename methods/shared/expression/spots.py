"""Scaled expression of spots, as graph encoders take it."""

from __future__ import annotations

import scipy.sparse as sp

from methods.shared.expression.counts import (
    genes_in_enough_spots,
    log1p,
    scale_to_total,
    take_genes,
    unit_variance,
)
from methods.shared.expression.hvg import seurat_v3_genes


def filtered_expression(counts: sp.csr_matrix, min_spots: int, n_genes: int) -> sp.csr_matrix:
    """
    Choose genes, scale spots to equal totals over them, then genes to unit deviation.

    Parameters
    ----------
    counts
        Raw counts, spots x genes.
    min_spots
        See `genes_in_enough_spots`.
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
    counts = take_genes(counts, genes_in_enough_spots(counts, min_spots))
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
