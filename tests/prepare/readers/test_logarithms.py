"""Logarithms undone."""

import numpy as np
import pytest
import scipy.sparse as sp
from hypothesis import given
from hypothesis import strategies as st

from blindfold.prepare.readers._logarithms import linear

LOGS = {"log1p": np.log1p, "log2p1": lambda x: np.log2(1 + x), "log10p1": lambda x: np.log10(1 + x)}


@pytest.mark.parametrize("log", LOGS)
@given(st.lists(st.integers(0, 10**6), min_size=1, max_size=20))
def test_what_was_logged_comes_back(log, values):
    given_values = np.array([values], dtype=float)
    logged = LOGS[log](given_values)
    for matrix in (sp.csr_matrix(logged), logged):
        found = linear(matrix, log)
        dense = found.toarray() if sp.issparse(found) else found
        np.testing.assert_allclose(dense, given_values, rtol=1e-12)
        assert not np.any(dense[given_values == 0])


def test_none_leaves_the_values_alone():
    matrix = sp.csr_matrix(np.array([[0, 3, 700]], dtype=np.int32))
    assert linear(matrix, "none") is matrix
