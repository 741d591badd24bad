"""Peak memory and largest arrays of trained and imputing methods above 5,000 spots.

A quadratic array makes sixteen times from 5,000 to 20,000 cells, a linear one four.
"""

from __future__ import annotations

import pytest

from tests.methods.growth import MANY, asked, grows_with_the_cells
from tests.methods.watch import watched


@pytest.mark.slow
@pytest.mark.parametrize("name", asked("spatial"))
def test_memory_grows_with_the_spots_and_no_array_is_dense(name):
    """Every method that trains or imputes, with all its variants."""
    grows_with_the_cells(name, "spatial")


@pytest.mark.slow
def test_all_pairs_of_spots_are_taken_in_blocks():
    """Losses over all pairs of 20,000 spots, not over sampled ones."""
    grows_with_the_cells("stmfg", "spatial", exact_pairs_up_to=MANY)


@pytest.mark.slow
def test_graphcvae_on_a_hundred_thousand_spots():
    """The largest array is linear in spots."""
    size = [100_000]
    (found,) = watched("graphcvae", "spatial", ["described"], size, 200, epochs=1, kmeans_starts=0)
    assert found["tensor"] <= 100_000 * 768
