"""Flaws of raw data are found, refused or repaired, and counted."""

import anndata
import numpy as np
import pandas as pd
import pytest
import scipy.sparse as sp
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays

from blindfold.core import blocks
from blindfold.core.datasets import DatasetCard
from blindfold.core.errors import BlindfoldError
from blindfold.prepare.standard import standardise
from blindfold.prepare.value_check import guess_normalisation
from tests.prepare.conftest import CARD, small_counts


def made(matrix, cells=None, genes=None, **differs):
    """Standardise a matrix and return it with the report."""
    rows, columns = matrix.shape
    read = anndata.AnnData(
        matrix,
        obs=pd.DataFrame(index=cells or [f"c{i}" for i in range(rows)]),
        var=pd.DataFrame(index=genes or [f"g{i}" for i in range(columns)]),
    )
    card = DatasetCard.model_validate({**CARD, "label": None, **differs})
    ready = standardise(read, card, {"cells": "raw.h5ad"})
    return ready.whole(), ready.frame.uns["report"]


@pytest.mark.parametrize(
    ("matrix", "message"),
    [
        ([[1, -1], [1, 1]], r"1 values are no counts: negative"),
        ([[1, 0.5], [1, 1]], r"1 values are no counts: fractional"),
        ([[1, np.inf], [np.inf, 1]], r"2 values are no counts: infinite"),
        ([[1, np.nan], [1, 1]], r"1 values are no counts: missing"),
        ([[1, 2.0**25], [1, 1]], r"1 values are no counts: huge"),
        ([[0, 0], [1, 1]], r"1 cells without any count"),
    ],
)
def test_what_is_no_count_is_refused(matrix, message):
    with pytest.raises(BlindfoldError, match=message):
        made(np.array(matrix, dtype=float))


@pytest.mark.parametrize("as_matrix", [np.asarray, sp.csr_matrix, sp.csc_matrix, sp.csr_array])
@pytest.mark.parametrize("kind", ["f4", "f8", "i8", "u1"])
def test_any_matrix_of_any_number_is_read(as_matrix, kind):
    counts = small_counts().X.toarray()
    adata, report = made(as_matrix(counts.astype(kind)))
    np.testing.assert_array_equal(adata.X.toarray(), counts)
    assert adata.X.dtype == np.float32
    assert report["flaws"] == {}


def test_repeated_entries_add_up_and_the_raw_matrix_is_left_alone():
    raw = sp.csr_matrix(
        (np.array([1.0, 2, 3]), np.array([1, 1, 0]), np.array([0, 2, 3])), shape=(2, 2)
    )
    adata, _ = made(raw)
    np.testing.assert_array_equal(adata.X.toarray(), [[0, 3], [3, 0]])
    assert (list(raw.data), list(raw.indices)) == ([1, 2, 3], [1, 1, 0])


@pytest.mark.parametrize(
    ("values", "words"),
    [
        (
            lambda x: np.log1p(x / x.sum(1, keepdims=True) * 1e4),
            "log.1 . counts normalised to 1000",
        ),
        (lambda x: x / x.sum(1, keepdims=True) * 1e6, "counts normalised to 1e.06"),
        (lambda x: x - x.mean(0), "scaled or centred"),
        (lambda x: np.log1p(x), "logarithms"),
    ],
)
def test_normalised_data_are_recognised(values, words):
    counts = small_counts().X.toarray().astype(float)
    with pytest.raises(BlindfoldError, match=words) as error:
        made(values(counts))
    assert "layer" in str(error.value)
    assert "values: expression" in str(error.value)


def test_expression_is_linear_and_need_not_be_counts():
    counts = small_counts().X.toarray().astype(float)
    linear = counts / counts.sum(1, keepdims=True) * 1e4
    adata, _ = made(linear, values="expression")
    np.testing.assert_allclose(adata.X.toarray(), linear, rtol=1e-6)
    with pytest.raises(BlindfoldError, match="log: log1p"):
        made(np.log1p(linear), values="expression")
    with pytest.raises(BlindfoldError, match="no expression values: negative"):
        made(-linear, values="expression")


def test_counts_look_like_nothing_else():
    assert guess_normalisation(sp.csr_matrix(np.eye(5))) is None


def test_missing_values_become_zero_where_the_card_says_so():
    matrix = np.array([[1, np.nan, 2], [np.nan, 3, 1]])
    adata, report = made(matrix, repair={"missing_values": "zero"})
    np.testing.assert_array_equal(adata.X.toarray(), [[1, 0, 2], [0, 3, 1]])
    assert report["flaws"] == {"missing_values": {"found": 2, "repair": "zero"}}


def test_repeated_genes():
    matrix, genes = np.array([[1, 2, 3, 4], [0, 5, 6, 7]]), ["b", "a", "b", "b"]
    with pytest.raises(BlindfoldError, match="2 genes have the name of another gene"):
        made(matrix, genes=genes)
    added, report = made(matrix, genes=genes, repair={"duplicate_genes": "sum"})
    assert list(added.var_names) == ["b", "a"]
    np.testing.assert_array_equal(added.X.toarray(), [[8, 2], [13, 5]])
    assert report["flaws"]["duplicate_genes"] == {"found": 2, "repair": "sum"}
    first, _ = made(matrix, genes=genes, repair={"duplicate_genes": "first"})
    np.testing.assert_array_equal(first.X.toarray(), [[1, 2], [0, 5]])


def test_repeated_cells():
    matrix, cells = np.array([[1, 2], [3, 4], [5, 6]]), ["x", "y", "x"]
    with pytest.raises(BlindfoldError, match="1 cells have the name of another cell"):
        made(matrix, cells=cells)
    first, report = made(matrix, cells=cells, repair={"duplicate_cells": "first"})
    assert list(first.obs_names) == ["x", "y"]
    np.testing.assert_array_equal(first.X.toarray(), [[1, 2], [3, 4]])
    assert report["flaws"]["duplicate_cells"] == {"found": 1, "repair": "first"}


def test_empty_cells_and_empty_genes():
    matrix = np.array([[1, 0, 2], [0, 0, 0], [3, 0, 4]])
    with pytest.raises(BlindfoldError, match="1 cells without any count"):
        made(matrix)
    left, report = made(matrix, repair={"empty_cells": "drop"})
    assert list(left.obs_names) == ["c0", "c2"]
    assert left.n_vars == 3
    assert report["flaws"] == {
        "empty_cells": {"found": 1, "repair": "drop"},
        "zero_genes": {"found": 1, "repair": "none needed"},
    }
    assert report["quality"]["cells_dropped"] == 0
    # a filter on genes drops them too, and then they are no flaw
    _, filtered = made(matrix, quality={"min_genes": 1})
    assert filtered["quality"]["cells_dropped"] == 1
    assert "empty_cells" not in filtered["flaws"]


def test_cells_are_filtered_first_then_genes():
    matrix = np.array([[1, 1, 1, 1], [1, 1, 0, 0], [0, 0, 0, 9], [1, 0, 1, 0]])
    left, report = made(matrix, quality={"min_genes": 2, "min_cells": 2})
    # the third cell goes, and then the fourth gene is seen in one cell alone
    assert list(left.obs_names) == ["c0", "c1", "c3"]
    assert list(left.var_names) == ["g0", "g1", "g2"]
    assert report["quality"] == {
        "min_genes": 2, "min_cells": 2, "cells_dropped": 1, "genes_dropped": 1,
    }  # fmt: skip


def test_a_cell_whose_genes_were_all_dropped_goes_too():
    matrix = np.array([[1, 1, 0], [1, 1, 0], [0, 0, 5]])
    left, report = made(matrix, quality={"min_cells": 2})
    assert list(left.obs_names) == ["c0", "c1"]
    assert (report["quality"]["cells_dropped"], report["quality"]["genes_dropped"]) == (1, 1)


@settings(max_examples=40, deadline=None)
@given(
    arrays(np.int64, st.tuples(st.integers(1, 12), st.integers(1, 6)), elements=st.integers(0, 3)),
    st.integers(1, 3), st.integers(0, 3), st.integers(1, 30), st.data(),
)  # fmt: skip
def test_blocks_of_any_size_do_what_numpy_does_at_once(matrix, min_genes, min_cells, size, data):
    names = data.draw(st.lists(st.sampled_from("abcd"), min_size=matrix.shape[1],
                               max_size=matrix.shape[1]))  # fmt: skip
    table = pd.DataFrame(matrix.T, index=names).groupby(level=0, sort=False).sum().T
    table = table[(table > 0).sum(axis=1) >= min_genes]
    table = table.loc[:, (table > 0).sum() >= min_cells]
    table = table[(table > 0).any(axis=1)] if table.size else table
    differs = {"quality": {"min_genes": min_genes, "min_cells": min_cells},
               "repair": {"duplicate_genes": "sum"}}  # fmt: skip
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(blocks, "BLOCK", size)
        if not table.size:
            with pytest.raises(BlindfoldError, match="is left"):
                made(matrix, genes=names, **differs)
            return
        adata, _ = made(matrix, genes=names, **differs)
    np.testing.assert_array_equal(adata.X.toarray(), table.to_numpy())
    assert list(adata.obs_names) == [f"c{i}" for i in table.index]
    assert list(adata.var_names) == list(table.columns)
