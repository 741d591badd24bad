"""Peak memory and largest arrays of trained and imputing methods above 5,000 cells.

A quadratic array makes sixteen times from 5,000 to 20,000 cells, a linear one four.
"""

from __future__ import annotations

import pytest

from tests.methods.growth import MANY, asked, grows_with_the_cells


@pytest.mark.slow
@pytest.mark.parametrize("name", asked("scrna"))
def test_memory_grows_with_the_cells_and_no_array_is_dense(name):
    """Every method that trains or imputes, with all its variants."""
    grows_with_the_cells(name, "scrna")


@pytest.mark.slow
def test_all_pairs_of_cells_are_taken_in_blocks():
    """Losses over all pairs of 20,000 cells, not over sampled ones."""
    grows_with_the_cells("sctag", "scrna", exact_graph_up_to=MANY)
