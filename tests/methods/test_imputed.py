"""What is written of imputed counts, and what is refused."""

from __future__ import annotations

import anndata
import numpy as np
import pytest

from methods.contract import InvalidOutput
from methods.imputed import write_imputed
from methods.shared.expression.row_blocks import RowBlocks


@pytest.mark.parametrize("blocked", [False, True])
def test_what_is_written_is_what_anndata_reads(tmp_path, blocked):
    whole = np.random.default_rng(0).random((23, 10)).astype(np.float32)
    given = RowBlocks(23, lambda rows: whole[rows], rows=5) if blocked else whole
    names = [f"c{i}" for i in range(23)], [f"g{i}" for i in range(10)]
    assert write_imputed(given, *names, tmp_path / "imputed.h5ad") >= 0
    found = anndata.read_h5ad(tmp_path / "imputed.h5ad")
    np.testing.assert_array_equal(found.X, whole)
    assert (list(found.obs_names), list(found.var_names)) == names


@pytest.mark.parametrize(
    ("given", "words"),
    [
        (None, "held out to be imputed"),
        (np.ones((4, 3)), "4 rows, expected 5"),
        (np.ones((6, 3)), "block of shape"),
        (np.ones((5, 2)), "block of shape"),
        (np.ones(5), "block of shape"),
        ([np.ones((3, 3)), np.ones((3, 3))], "at row 3"),
        (np.full((5, 3), np.nan), "NaN"),
        (np.full((5, 3), -0.1), "negative"),
        (np.full((5, 3), np.inf), "infinite"),
    ],
)
def test_a_partial_or_impossible_answer_is_invalid(tmp_path, given, words):
    with pytest.raises(InvalidOutput, match=words):
        write_imputed(given, list("abcde"), list("xyz"), tmp_path / "imputed.h5ad")
