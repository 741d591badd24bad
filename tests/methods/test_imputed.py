"""What is written of imputed counts, and what is refused."""

from __future__ import annotations

import numpy as np
import pytest

from methods.contract import InvalidOutput
from methods.imputed import write_imputed
from methods.shared.expression.row_blocks import RowBlocks


@pytest.mark.parametrize("blocked", [False, True])
def test_what_is_written_is_what_numpy_reads(tmp_path, blocked):
    whole = np.random.default_rng(0).random((23, 10)).astype(np.float32)
    given = RowBlocks(23, lambda rows: whole[rows], rows=5) if blocked else whole
    assert write_imputed(given, (23, 10), tmp_path / "imputed.npy") >= 0
    found = np.load(tmp_path / "imputed.npy")
    assert found.dtype == np.float32
    np.testing.assert_array_equal(found, whole)


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
        write_imputed(given, (5, 3), tmp_path / "imputed.npy")
