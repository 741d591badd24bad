"""Tissues that are tiny, empty, collinear, duplicate, isolated or in pieces."""

from __future__ import annotations

import numpy as np
import pytest

from methods.contract import Job
from tests.methods.toys import AWKWARD_TISSUES, NAMES, SHORT, awkward_tissue, card, run

PLACED = [
    (name, variant)
    for name in NAMES
    if "coordinates" in [*card(name)["needs"], *card(name).get("uses", [])]
    for variant in card(name)["variants"]
]


@pytest.mark.parametrize("kind", AWKWARD_TISSUES)
@pytest.mark.parametrize(("name", "variant"), PLACED)
def test_awkward_tissues_still_get_a_whole_answer(name, variant, kind):
    """Every method that uses coordinates, with a number of clusters no larger than the spots."""
    data = awkward_tissue(kind)
    result = run(name, data, Job(0, min(2, data.n_cells)), variant, **SHORT, width=30)
    assert result.clusters.shape == (data.n_cells,)
    assert result.embedding is None or np.isfinite(result.embedding).all()
