"""stMFG's graphs: radius and normalisation."""

from __future__ import annotations

import numpy as np
import pytest

from methods.shared.graphs.neighbors import pitch_of
from methods.shared.graphs.radius import radius_graph
from methods.stmfg.inputs import prepare, propagation
from tests.conftest import needs_mirror
from tests.methods.test_spatial_mgcn_inputs import pixels
from tests.methods.toys import awkward_tissue, params, tissue


def test_both_normalisations_are_those_of_dense_arrays():
    """D^-1 (A + I), or D^-1/2 (A + I) D^-1/2."""
    near = prepare(tissue()[0], params("stmfg")).near
    looped = near.toarray() + np.eye(144)
    degree = looped.sum(axis=1)
    np.testing.assert_allclose(propagation(near, "average").toarray(), looped / degree[:, None])
    expected = looped / np.sqrt(np.outer(degree, degree))
    np.testing.assert_allclose(propagation(near, "symmetric").toarray(), expected, rtol=1e-5)


def test_radius_in_pitches_and_in_the_unit_of_the_coordinates():
    """4.1 pitches are four rings, clear of the shell; 3 pitches given as 300 are three."""
    data, _ = tissue(15)
    degree = np.asarray(prepare(data, params("stmfg")).near.sum(axis=1)).ravel()
    assert degree[15 * 7 + 7] == degree.max() == 60
    inputs = prepare(data, params("stmfg", radius_px=300.0))
    assert np.asarray(inputs.near.sum(axis=1)).max() == 36
    assert inputs.notes["radius_pitches"] == pytest.approx(3)


@needs_mirror
def test_radius_graphs_of_slices_have_the_published_edges():
    """151507 at 560 pixels 243,063; breast at 550 pixels 68,856; loops included."""
    for folder, column, radius, edges in (
        ("dlpfc_151507", "layer_guess", 560.0, 243_063),
        ("human_breast_cancer_visium", None, 550.0, 68_856),
    ):
        coordinates = pixels(folder, column)
        assert radius_graph(coordinates, radius).nnz + len(coordinates) == edges
    cortex = pixels("dlpfc_151507", "layer_guess")
    on_the_shell = radius_graph(cortex, 550.0).nnz
    assert radius_graph(cortex, 4.1 * pitch_of(cortex)).nnz > 1.05 * on_the_shell


def test_isolated_spots_and_pieces_keep_to_themselves():
    """Bad input: no edge joins pieces; a spot without neighbours averages over itself."""
    data = awkward_tissue("isolated spots")
    inputs = prepare(data, params("stmfg"))
    degree = np.asarray(inputs.near.sum(axis=1)).ravel()
    assert (degree[:3] == 0).all()
    assert (degree[3:] > 0).all()
    near = prepare(awkward_tissue("two far pieces"), params("stmfg")).near
    assert near[:40][:, 40:].nnz == 0
