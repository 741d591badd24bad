"""Tissues that are tiny, empty, collinear, duplicate, isolated or in pieces."""

from __future__ import annotations

import dataclasses

import numpy as np
import pytest
import scipy.sparse as sp

from methods.contract import Job
from tests.methods.toys import AWKWARD_TISSUES, NAMES, SHORT, awkward_tissue, card, run, tissue

PLACED = [
    (name, variant)
    for name in NAMES
    if "coordinates" in [*card(name)["needs"], *card(name).get("uses", [])]
    for variant in card(name)["variants"]
]
TRAINED = [(name, variant) for name, variant in PLACED if "epochs" in card(name)["parameters"]]


@pytest.mark.parametrize("kind", AWKWARD_TISSUES)
@pytest.mark.parametrize(("name", "variant"), PLACED)
def test_awkward_tissues_still_get_a_whole_answer(name, variant, kind):
    """Every method that uses coordinates, with a number of clusters no larger than the spots."""
    data = awkward_tissue(kind)
    result = run(name, data, Job(0, min(2, data.n_cells)), variant, **SHORT, width=30)
    assert result.clusters.shape == (data.n_cells,)
    assert result.embedding is None or np.isfinite(result.embedding).all()


@pytest.mark.parametrize(("name", "variant"), TRAINED)
def test_a_tissue_without_any_expression_is_refused(name, variant):
    data, _ = tissue()
    empty = dataclasses.replace(data, counts=sp.csr_matrix(data.counts.shape, dtype=np.float32))
    with pytest.raises(ValueError, match="every entry is zero"):
        run(name, empty, Job(0, 2), variant, **SHORT)
