"""Counts come back exactly from log-normalised values, or not at all."""

from pathlib import Path

import numpy as np
import pytest
import scipy.sparse as sp
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays

from blindfold.core.errors import BlindfoldError
from blindfold.prepare.readers.log_normalised import recover_counts, recover_from_raw
from tests.prepare.conftest import log_normalised


@settings(max_examples=60, deadline=None)
@given(
    arrays(np.int64, st.tuples(st.integers(1, 8), st.integers(1, 8)), elements=st.integers(0, 300)),
    st.integers(1, 5_000),
    st.sampled_from([1e3, 1e4, 1e6]),
)
def test_any_counts_come_back(counts, rest, target_sum):
    totals = counts.sum(axis=1) + rest
    values = np.log1p(counts * target_sum / totals[:, None]).astype(np.float32)
    back, distance = recover_counts(sp.csr_matrix(values), totals, target_sum)
    np.testing.assert_array_equal(back.toarray(), counts)
    assert distance.max(initial=0) < 0.1


def test_the_worst_entry_is_named():
    counts = np.full((3, 4), 5.0)
    adata = log_normalised(counts, counts.sum(axis=1))
    matrix = adata.raw.X.copy()
    matrix[1, 2] += 0.09
    adata.X = matrix
    adata.raw = adata
    with pytest.raises(BlindfoldError, match="no log-normalised counts") as error:
        recover_from_raw(adata, "n_counts", 1e4, Path("f.h5ad"))
    assert "'cell1', '2'" in str(error.value)
    with pytest.raises(BlindfoldError, match="there is no 'total'"):
        recover_from_raw(adata, "total", 1e4, Path("f.h5ad"))


def test_nan_is_not_recovered():
    counts = np.full((3, 4), 5.0)
    adata = log_normalised(counts, counts.sum(axis=1))
    adata.obs["n_counts"] = np.nan
    with pytest.raises(BlindfoldError, match="no log-normalised counts"):
        recover_from_raw(adata, "n_counts", 1e4, Path("f.h5ad"))
