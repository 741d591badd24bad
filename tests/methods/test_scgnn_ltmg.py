"""scGNN's regulatory states: number of components, states, and the published ones."""

from __future__ import annotations

import warnings
from pathlib import Path

import numpy as np
import pytest
import scipy.sparse as sp

from methods.scgnn.censored_mixture import Mixture, Observed, fit
from methods.scgnn.ltmg import fit_genes, fitted_cut, ltmg_states, pad, read_gene, states_of
from methods.shared.expression.counts import log1p
from tests.conftest import MIRROR, needs_mirror
from tests.methods.test_scgnn_censored_mixture import TRUE, drawn, observed

GOOLAM = Path(__file__).with_name("goolam_ltmg.csv")


def poisson_genes(cells: int = 80, genes: int = 40, seed: int = 0) -> sp.csr_matrix:
    rng = np.random.default_rng(seed)
    level = rng.choice([0.3, 3.0, 30.0], size=(cells, genes)) * rng.uniform(0.5, 2, genes)
    return sp.csr_matrix(rng.poisson(level).astype(np.float32))


def goolam_counts(genes: list[str]) -> sp.csr_matrix:
    """Return the raw counts of some genes, cells x genes."""
    import rdata

    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        matrix = rdata.read_rda(MIRROR / "goolam" / "Goolam.rda")["Goolam"]["data"]
    return sp.csr_matrix(matrix.loc[genes].to_numpy().T.astype(np.float32))


def test_three_components_are_recovered():
    """By medians over genes; the BIC picks three of them in 95 % of genes."""
    values = np.exp(drawn(40, 2000))
    values[values < np.exp(0.5)] = 0
    genes = [read_gene(v[v > 0], 2000, 0.5, None) for v in values]
    bic, _ = fit_genes(genes, 2000, 5, True)
    assert (bic.argmin(axis=1) == 1).mean() >= 0.95
    found = fit(pad(genes, 2000), 3)
    order = np.argsort(found.mean, axis=1)
    for name, tolerance in (("mean", 0.02), ("weight", 0.02), ("sd", 0.02)):
        middle = np.median(np.take_along_axis(getattr(found, name), order, axis=1), axis=0)
        np.testing.assert_allclose(middle, TRUE[name], atol=tolerance)


def test_batched_equals_one_gene_at_a_time():
    """Parameters, and states for every size of chunk."""
    data = observed(drawn(12, 200), 0.5)
    together = fit(data, 3)
    for gene in range(12):
        alone = fit(data.take(np.array([gene])), 3)
        for whole, part in zip(together, alone, strict=True):
            np.testing.assert_allclose(whole[gene], part[0], rtol=1e-7, atol=1e-9)
    counts = poisson_genes()
    states = ltmg_states(counts).toarray()
    for elements in (1, 300, 10**6):
        np.testing.assert_array_equal(states, ltmg_states(counts, elements=elements).toarray())


def test_merging_equal_values_changes_nothing():
    """Distinct values with counts against every cell on its own."""
    counts = poisson_genes().toarray().T
    genes = [read_gene(c[c > 0].astype(float), counts.shape[1], 0.0, None) for c in counts]
    merged = pad(genes, counts.shape[1])
    width = int(merged.times.sum(axis=1).max())
    value, count = np.zeros((2, len(genes), width))
    for row, gene in enumerate(genes):
        full = np.repeat(gene.value, gene.times.astype(int))
        value[row, : len(full)], count[row, : len(full)] = full, 1
    single = Observed(value, count, merged.cut, merged.censored)
    for k in (2, 3):
        for a, b in zip(fit(merged, k), fit(single, k), strict=True):
            np.testing.assert_allclose(a, b, rtol=1e-6, atol=1e-8)


@pytest.mark.parametrize("exact", [True, False])
def test_states_have_the_shape_of_counts_and_are_zero_where_these_are(exact):
    """The shape is that of the input, and the state is 0 wherever the count is 0."""
    counts = poisson_genes()
    states = ltmg_states(counts, exact, np.random.default_rng(0))
    assert states.shape == counts.shape
    assert states.dtype == np.uint8
    assert not states.toarray()[counts.toarray() == 0].any()
    assert states.toarray().max() >= 1


def test_states_rise_with_the_value_where_spreads_agree():
    value = np.linspace(0, 6, 50)[None]
    mixture = Mixture(
        np.array([[0.2, 0.5, 0.3]]), np.array([[1.0, 3.0, 5.0]]), np.full((1, 3), 0.6)
    )
    data = Observed(value, np.ones_like(value), np.array([0.5]), np.zeros(1))
    state = states_of(mixture, data, np.zeros(1, dtype=int))[0]
    assert (np.diff(state.astype(int)) >= 0).all()
    assert state[-1] == 2
    assert not state[value[0] <= 0.5].any()
    shuffled = Mixture(*(part[:, [2, 0, 1]] for part in mixture))
    np.testing.assert_array_equal(states_of(shuffled, data, np.zeros(1, dtype=int))[0], state)


def test_order_of_genes_does_not_matter():
    """Every gene is fitted on its own, unlike in the authors' code."""
    counts = poisson_genes()
    order = np.random.default_rng(2).permutation(counts.shape[1])
    states = ltmg_states(counts).toarray()
    np.testing.assert_array_equal(ltmg_states(counts[:, order]).toarray(), states[:, order])


@needs_mirror
def test_released_states_agree_with_the_published_ones():
    """22 genes of the matrix shipped with OSU-BMBL/scGNN2.0 (Goolam) agree in 98 % or more.

    Binary from the first gene on, which has one component besides the empty one. That program
    hands counts to the fit, the first scGNN their logarithms (`log_twice`), which agree less.
    """
    rows = [line.split(",") for line in GOOLAM.read_text().splitlines()[1:]]
    published = np.array([list(word) for _, word in rows], dtype=int).T
    counts = goolam_counts([gene for gene, _ in rows])
    states = ltmg_states(counts, False, np.random.default_rng(0)).toarray()
    assert set(np.unique(states)) == {0, 1}
    assert (states == published).mean() >= 0.98
    twice = ltmg_states(log1p(counts), False, np.random.default_rng(0)).toarray()
    assert (twice == published).mean() < 0.8
    assert ltmg_states(counts).toarray().max() > 1


def test_genes_without_zeros_start_at_state_one():
    """The empty component shifts the states; the smallest value stays 0."""
    rng = np.random.default_rng(0)
    counts = sp.csr_matrix((rng.poisson(50, (200, 3)) + 1).astype(np.float32))
    states, dense = ltmg_states(counts).toarray(), counts.toarray()
    for gene in range(3):
        lowest = dense[:, gene] == dense[:, gene].min()
        assert not states[lowest, gene].any()
        assert (states[~lowest, gene] >= 1).all()


def test_every_cell_is_observed_or_censored():
    """A gene without zeros whose values lie on both sides of the cut: no cell is left out."""
    for values, cut in (([2.0, 3.0, 30.0], 1.5), ([1.0, 1.0, 2.0], 0.0), ([0.4, 0.7, 2.0], 0.0)):
        gene = read_gene(np.array(values), 3, cut, None)
        data = pad([gene], 3)
        assert data.times.sum() + data.censored[0] == 3
        assert gene.everywhere is bool(np.log(min(values)) >= cut)


def test_hopeless_genes_have_no_states():
    """Constant genes, genes seen once, empty genes."""
    counts = np.zeros((30, 3), dtype=np.float32)
    counts[:, 0], counts[4, 1] = 2, 7
    assert not ltmg_states(sp.csr_matrix(counts)).toarray().any()


def test_global_cut_lies_between_two_groups_of_minima():
    rng = np.random.default_rng(0)
    lowest = np.exp(np.concatenate([rng.normal(-2, 0.3, 150), rng.normal(2, 0.3, 150)]))
    values = sp.csr_matrix(np.vstack([lowest, 2 * lowest]))
    assert -1.5 < fitted_cut(values) < 1.5
    assert fitted_cut(sp.csr_matrix(np.ones((5, 4)))) == 0.0
