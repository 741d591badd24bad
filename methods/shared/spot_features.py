"""Scaled expression of spots and averages over their neighbours, as graph encoders take them."""

from __future__ import annotations

import numpy as np
import scipy.sparse as sp

from methods.shared.graph import average
from methods.shared.hvg import seurat_v3
from methods.shared.preprocess import scale_to_total, take_genes, unit_deviation

SHARE = 0.2  # of the spots; `min_spots` asks for no more than this


def expression(counts: sp.csr_matrix, min_spots: int, n_genes: int) -> sp.csr_matrix:
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
    chosen = take_genes(counts, seurat_v3(counts, n_genes))
    return unit_deviation(scale_to_total(chosen, 1e4)[0], clip=10.0)


def propagation(graph: sp.csr_matrix, loops: int = 1) -> sp.csr_matrix:
    """Average over a spot, counted `loops` times, and its neighbours: D^-1 (A + loops I)."""
    own = loops * sp.eye_array(graph.shape[0], dtype=np.float32, format="csr")
    return average(sp.csr_matrix(graph + own))
