"""Transcriptional regulatory states: which component of its gene's mixture each value belongs to.

Wan et al., Nucleic Acids Research 47, e111 (2019), doi 10.1093/nar/gkz655 (LTMG).
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import NamedTuple

import numpy as np
import scipy.sparse as sp

from .censored_mixture import Mixture, Observed, fit, log_joint, log_likelihood

MOST = 5  # components
JITTER = 1e-4
FIRST = 64  # genes fitted with every number of components before the reference's cap is known


class Gene(NamedTuple):
    """One gene's positive values, repeated ones merged."""

    value: np.ndarray  # distinct logarithms, ascending
    times: np.ndarray  # cells with that value
    entry: np.ndarray  # position of every stored entry among the distinct values
    cut: float
    everywhere: bool  # no cell is censored: an ordinary mixture, with an empty state 0


def read_gene(values: np.ndarray, n_cells: int, cut: float, noise: np.ndarray | None) -> Gene:
    """
    Take logarithms and merge equal values.

    Parameters
    ----------
    values
        Positive values of the gene, not on log scale.
    n_cells
        Number of cells, zeros included.
    cut
        Global cut, log scale; the gene's own is no lower than its smallest value.
    noise
        Added to the logarithms; None for none.
    """
    logged = np.log(values)
    lowest = float(logged.min())
    smallest = lowest if noise is None else float(values.min())  # the reference takes no logarithm
    value, entry = np.unique(logged if noise is None else logged + noise, return_inverse=True)
    everywhere = len(values) == n_cells and smallest >= cut
    return Gene(value, np.bincount(entry).astype(float), entry, max(lowest, cut), everywhere)


def pad(genes: list[Gene], n_cells: int) -> Observed:
    """Stack genes; values below the cut are counted with the censored cells."""
    width = max(len(gene.value) for gene in genes)
    value, count = np.zeros((2, len(genes), width))
    for row, gene in enumerate(genes):
        value[row, : len(gene.value)] = gene.value
        count[row, : len(gene.value)] = gene.times * (gene.value >= gene.cut)
    cut = np.array([gene.cut for gene in genes])
    everywhere = np.array([gene.everywhere for gene in genes])
    return Observed(value, count, cut, np.where(everywhere, 0.0, n_cells - count.sum(axis=1)))


def states_of(mixture: Mixture, data: Observed, offset: np.ndarray) -> np.ndarray:
    """Return the likeliest component, by ascending mean, plus `offset`; 0 up to the cut."""
    order = np.argsort(mixture.mean, axis=1, kind="stable")
    ordered = Mixture(*(np.take_along_axis(part, order, axis=1) for part in mixture))
    state = log_joint(ordered, data.value).argmax(axis=1) + offset[:, None]
    return np.where(data.value > data.cut[:, None], state, 0).astype(np.uint8)


def fit_genes(
    genes: list[Gene], n_cells: int, most: int, exact: bool
) -> tuple[np.ndarray, np.ndarray]:
    """
    Fit every number of components.

    Returns
    -------
    BIC, genes x (most - 1), infinite where nothing could be fitted, and the states of the
    distinct values, genes x (most - 1) x distinct. Column j stands for j + 2 components; where
    no cell is censored the first of them is the empty one.
    """
    data = pad(genes, n_cells)
    everywhere = np.array([gene.everywhere for gene in genes])
    observed = data.times.sum(axis=1)
    bic = np.full((len(genes), most - 1), np.inf)
    state = np.zeros((*bic.shape, data.value.shape[1]), dtype=np.uint8)
    for column in range(most - 1):
        for kind in (False, True):
            k = column + 1 if kind else column + 2
            chosen = np.flatnonzero((everywhere == kind) & (observed > k))
            if not chosen.size:
                continue
            part = data.take(chosen)
            with np.errstate(all="ignore"):
                mixture = fit(part, k, exact)
                likelihood = log_likelihood(mixture, part, censored=exact)
            cells = observed[chosen] if kind else float(n_cells)
            criterion = (3 * k - 1) * np.log(cells) - 2 * likelihood
            bic[chosen, column] = np.where(np.isfinite(criterion), criterion, np.inf)
            offset = np.full(len(chosen), int(kind))
            state[chosen, column] = states_of(mixture, part, offset)
    return bic, state


def chunks(genes: list[Gene], order: np.ndarray, elements: int, first: int) -> Iterator[list[int]]:
    """Cut `order` so that padded genes x values stay within `elements`; the first is shorter."""
    chunk: list[int] = []
    width, limit = 0, first
    for gene in order:
        width = max(width, len(genes[gene].value))
        if chunk and ((len(chunk) + 1) * width > elements or len(chunk) >= limit):
            yield chunk
            chunk, width, limit = [], len(genes[gene].value), len(order)
        chunk.append(int(gene))
    if chunk:
        yield chunk


def ltmg_states(
    values: sp.csr_matrix,
    exact: bool = True,
    rng: np.random.Generator | None = None,
    cut: float = 0.0,
    elements: int = 1 << 16,
) -> sp.csr_matrix:
    """
    Find the state of every entry.

    Parameters
    ----------
    values
        cells x genes, not negative, not on log scale.
    exact
        True: exact M-step, BIC of the full likelihood, every gene on its own. False: as the
        reference implementation computes, with its variance step, a BIC without the censored
        cells, noise of 1e-4 on the logarithms (from `rng`), and a largest number of components
        that shrinks to that of each gene just fitted, so that all but the first genes end with
        two; genes count in the order of the columns.
    rng
        Source of the noise; needed where `exact` is False.
    cut
        Global cut, log scale; 0 stands for the value 1.
    elements
        Distinct values fitted at a time.

    Returns
    -------
    cells x genes, uint8, with the stored entries of `values` (zeros among them are explicit).
    Every entry not stored has state 0.
    """
    columns = values.tocsc()
    genes = []
    for gene in range(values.shape[1]):
        entries = columns.data[columns.indptr[gene] : columns.indptr[gene + 1]].astype(float)
        noise = None
        if not exact:
            assert rng is not None
            noise = rng.normal(0, JITTER, len(entries))
        genes.append(read_gene(entries, values.shape[0], cut, noise) if len(entries) else EMPTY)
    filled = np.array([gene for gene in range(len(genes)) if len(genes[gene].value)], dtype=int)
    sizes = np.array([len(genes[gene].value) for gene in filled])
    order = filled[np.argsort(sizes, kind="stable")] if exact else filled
    found = np.zeros(columns.nnz, dtype=np.uint8)
    most = MOST
    for chunk in chunks(genes, order, elements, len(order) if exact else FIRST):
        bic, state = fit_genes([genes[gene] for gene in chunk], values.shape[0], most, exact)
        for row, gene in enumerate(chunk):
            best = int(bic[row, : most - 1].argmin())
            if np.isfinite(bic[row, best]):
                part = slice(columns.indptr[gene], columns.indptr[gene + 1])
                found[part] = state[row, best][genes[gene].entry]
                most = most if exact else best + 2
    return sp.csc_matrix((found, columns.indices, columns.indptr), columns.shape).tocsr()


EMPTY = Gene(np.empty(0), np.empty(0), np.empty(0, dtype=int), 0.0, False)


def fitted_cut(values: sp.csr_matrix) -> float:
    """
    Find the global cut: where two Gaussians fitted to the genes' smallest logarithms cross.

    Returns
    -------
    The crossing between the two means on log scale; 0 where there is none.
    """
    columns = values.tocsc()
    starts = columns.indptr[:-1][np.diff(columns.indptr) > 0]
    if not starts.size:
        return 0.0
    lowest = np.log(np.minimum.reduceat(columns.data.astype(float), starts))
    value, count = np.unique(lowest, return_counts=True)
    if count.sum() <= 2 or len(value) < 3:
        return 0.0
    zero = np.zeros(1)
    mixture = fit(Observed(value[None], count[None].astype(float), zero, zero), 2)
    order = np.argsort(mixture.mean[0])
    (p1, p2), (m1, m2), (s1, s2) = (part[0, order] for part in mixture)
    if not min(p1, p2) > 0:
        return 0.0
    a = 1 / (2 * s2**2) - 1 / (2 * s1**2)
    b = m1 / s1**2 - m2 / s2**2
    c = m2**2 / (2 * s2**2) - m1**2 / (2 * s1**2) + np.log(p1 * s2 / (p2 * s1))
    roots = np.roots([a, b, c])
    between = [r.real for r in roots if abs(r.imag) < 1e-12 and m1 < r.real < m2]
    return float(between[0]) if between else 0.0
