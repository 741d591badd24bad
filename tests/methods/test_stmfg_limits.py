"""stMFG on many spots and on awkward ones: memory, bad input, losses that are not finite."""

from __future__ import annotations

import dataclasses

import numpy as np
import pytest
import torch

from methods.contract import Data, Job
from methods.stmfg.inputs import prepare
from methods.stmfg.model import Model
from tests.methods.toys import AWKWARD_TISSUES, awkward_tissue, params, run, tissue
from tests.methods.watch import Largest

SMALL = {"epochs": 3, "kmeans_starts": 3}


@pytest.mark.parametrize("exact_up_to", [5000, 6000])
@pytest.mark.parametrize("mask", [False, True])
def test_no_tensor_is_spots_by_spots_or_spots_by_genes(exact_up_to, mask):
    """Above 5,000 spots the largest tensor is spots x 256, with all pairs too."""
    data, _ = tissue(72, genes=400)
    chosen = params("stmfg", exact_pairs_up_to=exact_up_to, mask_neighbours=mask)
    model = Model(prepare(data, chosen), chosen, Job(0, 3))
    assert model.contrast.exact == model.spatial_loss.exact == (exact_up_to == 6000)
    with Largest() as largest:
        torch.stack(list(model.step(0).values())).sum().backward()
    assert largest.size <= 72**2 * 256


SWITCHES = [{"fusion": "token"}, {"contrast": "gram"},
            {"mask_neighbours": True, "exact_pairs_up_to": 0, "n_negatives": 4}]  # fmt: skip


@pytest.mark.parametrize("changes", SWITCHES, ids=str)
@pytest.mark.parametrize("kind", AWKWARD_TISSUES)
def test_awkward_tissues_under_every_switch(kind, changes):
    """Bad input: tiny, empty, collinear, duplicate, isolated and disconnected spots."""
    data = awkward_tissue(kind)
    result = run("stmfg", data, Job(0, min(2, data.n_cells)), **SMALL, **changes)
    assert result.clusters.shape == (data.n_cells,)
    assert np.isfinite(result.embedding).all()


def test_pitch_is_measured_where_none_is_given():
    data, _ = tissue()
    plain = run("stmfg", data, Job(0, 3), **SMALL)
    measured = run("stmfg", dataclasses.replace(data, pitch=None), Job(0, 3), **SMALL)
    np.testing.assert_array_equal(plain.clusters, measured.clusters)


def test_fewer_genes_than_variable_ones_are_all_used():
    """Bad input: 60 genes, 3,000 asked for."""
    result = run("stmfg", tissue()[0], Job(0, 3), **SMALL)
    assert result.notes["genes"] == 60


def test_counts_of_zero_are_named():
    data, _ = tissue()
    with pytest.raises(ValueError, match="counts"):
        run("stmfg", dataclasses.replace(data, counts=data.counts * 0), Job(0, 3), **SMALL)


def test_missing_coordinates_and_too_many_clusters_are_named():
    """Bad input: no coordinates; K larger than the number of spots."""
    data, _ = tissue(6)
    with pytest.raises(ValueError, match="coordinates"):
        run("stmfg", Data(data.counts, data.genes), Job(0, 2), **SMALL)
    with pytest.raises(ValueError, match="n_clusters"):
        run("stmfg", data, Job(0, 37), **SMALL)


def test_a_loss_that_is_not_finite_is_named(monkeypatch):
    """Bad input: the run stops at the epoch, naming the component."""
    original = Model.agreement

    def broken(self, views):
        return original(self, views) * float("nan")

    monkeypatch.setattr(Model, "agreement", broken)
    with pytest.raises(FloatingPointError, match="'contrast' is nan in epoch 1 of 3"):
        run("stmfg", tissue()[0], Job(0, 3), **SMALL)
