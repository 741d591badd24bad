"""From counts to the variable genes, their logarithms and regulatory states."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
import scipy.sparse as sp

from methods.contract import Params
from methods.shared.expression.counts import (
    expressed_genes,
    gene_moments,
    log1p,
    scale_to_total,
    take_genes,
)

from .ltmg import fitted_cut, ltmg_states

DETECTED = 0.01  # share of cells, then of genes


class Inputs(NamedTuple):
    """What the networks see."""

    genes: np.ndarray  # columns of the counts, by ascending variance
    expression: sp.csr_matrix  # log(1 + count / depth) of these genes
    states: sp.csr_matrix | None  # regulatory states with the same entries
    depth: np.ndarray  # what the counts of each cell are divided by, 1 unless normalised


def variable_genes(counts: sp.csr_matrix, n_genes: int) -> np.ndarray:
    """
    Choose the genes of largest variance of raw counts, by ascending variance.

    Genes need to be seen in 1 % of the cells; the variance is taken over cells with 1 % of those
    genes, or over all cells where fewer than two have as many.

    Parameters
    ----------
    counts
        cells x genes.
    n_genes
        Genes to choose.
    """
    expressed_genes(counts)
    n = counts.shape[0]
    seen = counts.getnnz(axis=0)
    kept = np.flatnonzero(seen >= max(DETECTED * n, 1))
    if not kept.size:
        least = f"{DETECTED:.0%} of the {n} cells"
        raise ValueError(f"counts: no gene is seen in {least}; scGNN takes no others")
    chosen = take_genes(counts, kept)
    rich = chosen.getnnz(axis=1) >= DETECTED * kept.size
    variance = gene_moments(chosen[rich] if rich.sum() > 1 else chosen)[1]
    return kept[np.argsort(-variance, kind="stable")[:n_genes][::-1]]


def prepare(counts: sp.csr_matrix, params: Params, rng: np.random.Generator) -> Inputs:
    """
    Choose genes, take logarithms and find regulatory states.

    Genes and states are those of the counts as given, normalised or not.

    Parameters
    ----------
    counts
        cells x genes.
    params
        The card's `n_genes`, `normalize`, `ltmg`, `ltmg_fit`, `ltmg_cut` and `log_twice`.
    rng
        Source of the reference fit's noise.
    """
    counts = sp.csr_matrix(counts, copy=True)
    counts.eliminate_zeros()
    genes = variable_genes(counts, params.n_genes)
    chosen, depth = take_genes(counts, genes), np.ones(counts.shape[0])
    expression = log1p(chosen)
    states = None if params.ltmg == "none" else _states(chosen, expression, params, rng)
    if params.normalize:
        scaled, depth = scale_to_total(counts, None)
        expression = log1p(take_genes(scaled, genes))
    return Inputs(genes, expression, states, depth)


def _states(
    counts: sp.csr_matrix, logged: sp.csr_matrix, params: Params, rng: np.random.Generator
) -> sp.csr_matrix:
    """Find the states of counts or, as the public code does, of their logarithms."""
    values = logged if params.log_twice else counts
    limit = fitted_cut(values) if params.ltmg_cut == "fitted" else 0.0
    states = ltmg_states(values, params.ltmg_fit == "exact", rng, limit)
    states.sort_indices()
    if params.ltmg == "binary":
        np.minimum(states.data, 1, out=states.data)
    return states
