"""scGNN's genes and kinds of regulatory states."""

from __future__ import annotations

import numpy as np
import pytest
import scipy.sparse as sp

from methods.contract import Data
from methods.scgnn.inputs import Inputs, prepare, variable_genes
from methods.shared.training.seeding import random_stream
from tests.methods.toys import params


def inputs(data: Data, variant: str = "described", **changes) -> Inputs:
    return prepare(data.counts, params("scgnn", variant, **changes), random_stream(0, "states"))


@pytest.mark.parametrize(("ltmg", "highest"), [("states", 4), ("binary", 1), ("none", None)])
def test_states_are_many_binary_or_none(ltmg, highest):
    """Four states and more, two, or none."""
    rng = np.random.default_rng(0)
    level = rng.choice([0.5, 8.0, 80.0], size=(150, 20))
    data = Data(sp.csr_matrix(rng.poisson(level).astype(np.float32)), np.arange(20).astype(str))
    states = inputs(data, ltmg=ltmg).states
    if highest is None:
        assert states is None
    else:
        assert min(highest, 2) <= states.data.max() <= highest


def test_genes_of_largest_raw_variance_are_chosen():
    """Seen in 1 % of cells; variance over cells with 1 % of the genes."""
    rng = np.random.default_rng(0)
    counts = rng.poisson(3.0, (300, 8)).astype(np.float32)
    counts[:, 1] = 0
    counts[0, 1] = 900  # in fewer than 1 % of cells
    counts[:, 2] *= 5
    counts[:, 6] *= 3
    assert list(variable_genes(sp.csr_matrix(counts), 2)) == [6, 2]
    counts[5] = 0  # an empty cell does not enter the variance
    expected = np.delete(counts, 5, axis=0).var(axis=0, ddof=1)
    expected[1] = -1
    ranked = variable_genes(sp.csr_matrix(counts), 7)
    np.testing.assert_array_equal(ranked, np.argsort(expected)[1:])


def test_normalized_divides_counts_by_depth_before_the_logarithm_and_nowhere_else():
    """Libraries of 2, 4, 0 and 8 counts; their median, of the cells that have any, is 4."""
    counts = np.array([[1, 1, 0], [3, 0, 1], [0, 0, 0], [2, 4, 2]], dtype=np.float32)
    data = Data(sp.csr_matrix(counts), np.array(["a", "b", "c"]))
    plain, found = (inputs(data, variant) for variant in ("described", "normalized"))
    np.testing.assert_array_equal(plain.depth, [1, 1, 1, 1])
    np.testing.assert_array_equal(found.depth, [0.5, 1, 1, 2])
    scaled = np.array([[2, 2, 0], [3, 0, 1], [0, 0, 0], [1, 2, 1]])
    for one, expected in ((plain, counts), (found, scaled)):
        np.testing.assert_allclose(one.expression.toarray(), np.log1p(expected[:, one.genes]))
    np.testing.assert_array_equal(plain.genes, found.genes)
    np.testing.assert_array_equal(plain.states.toarray(), found.states.toarray())
    twice = inputs(data, "normalized", log_twice=True), inputs(data, log_twice=True)
    np.testing.assert_array_equal(*(one.states.toarray() for one in twice))
