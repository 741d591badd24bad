"""From counts to the variable genes, their logarithms and regulatory states."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
import scipy.sparse as sp

from methods.shared.expression.counts import expressed_genes, gene_moments, log1p, take_genes

from .ltmg import fitted_cut, ltmg_states

DETECTED = 0.01  # share of cells, then of genes


class Inputs(NamedTuple):
    """What the networks see."""

    genes: np.ndarray  # columns of the counts, by ascending variance
    expression: sp.csr_matrix  # log(1 + count) of these genes, not normalised
    states: sp.csr_matrix | None  # regulatory states with the same entries


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


def prepare(
    counts: sp.csr_matrix,
    n_genes: int,
    ltmg: str,
    fit: str,
    cut: str,
    log_twice: bool,
    rng: np.random.Generator,
) -> Inputs:
    """
    Choose genes, take logarithms and find regulatory states.

    Parameters
    ----------
    counts
        cells x genes.
    n_genes
        Variable genes.
    ltmg
        ``states``; ``binary`` for states 0 and 1 only; ``none``.
    fit
        ``exact`` or ``reference``, see `ltmg_states`.
    cut
        Global cut of the states: ``zero`` or ``fitted``.
    log_twice
        Find the states of log(1 + count) instead of counts, as the public code does.
    rng
        Source of the reference fit's noise.
    """
    counts = sp.csr_matrix(counts, copy=True)
    counts.eliminate_zeros()
    genes = variable_genes(counts, n_genes)
    chosen = take_genes(counts, genes)
    expression = log1p(chosen)
    if ltmg == "none":
        return Inputs(genes, expression, None)
    values = expression if log_twice else chosen
    limit = fitted_cut(values) if cut == "fitted" else 0.0
    states = ltmg_states(values, fit == "exact", rng, limit)
    states.sort_indices()
    if ltmg == "binary":
        np.minimum(states.data, 1, out=states.data)
    return Inputs(genes, expression, states)
