"""Spatial-MGCN on many spots and on awkward ones: memory, bad input, losses that are not finite."""

from __future__ import annotations

import dataclasses

import numpy as np
import pytest
import torch

from methods.contract import Data, Job
from methods.spatial_mgcn.model import Model
from tests.methods.test_spatial_mgcn_inputs import SMALL, prepare
from tests.methods.toys import params, run, tissue
from tests.methods.watch import Largest


def test_no_tensor_is_spots_by_spots_or_spots_by_genes():
    """Above 5,000 spots the largest tensor is spots x 384, with all pairs too."""
    data, _ = tissue(72, genes=400)
    inputs = prepare(data, params("spatial_mgcn"))
    for exact_up_to in (5000, 6000):
        chosen = params("spatial_mgcn", exact_pairs_up_to=exact_up_to)
        model = Model(inputs, chosen, Job(0, 3))
        assert model.spatial_loss.exact == (exact_up_to == 6000)
        with Largest() as largest:
            torch.stack(list(model.step(0).values())).sum().backward()
        assert largest.size <= 72**2 * 384


def test_pitch_is_measured_where_none_is_given():
    data, _ = tissue()
    plain = run("spatial_mgcn", data, Job(0, 3), **SMALL)
    measured = run("spatial_mgcn", dataclasses.replace(data, pitch=None), Job(0, 3), **SMALL)
    np.testing.assert_array_equal(plain.clusters, measured.clusters)


def test_fewer_genes_than_variable_ones_are_all_used():
    """Bad input: 60 genes, 3,000 asked for."""
    result = run("spatial_mgcn", tissue()[0], Job(0, 3), **SMALL)
    assert result.notes["genes"] == 60


def test_counts_of_zero_are_named():
    data, _ = tissue()
    with pytest.raises(ValueError, match="counts"):
        run("spatial_mgcn", dataclasses.replace(data, counts=data.counts * 0), Job(0, 3), **SMALL)


def test_missing_coordinates_and_too_many_clusters_are_named():
    """Bad input: no coordinates; K larger than the number of spots."""
    data, _ = tissue(6)
    with pytest.raises(ValueError, match="coordinates"):
        run("spatial_mgcn", Data(data.counts, data.genes), Job(0, 2), **SMALL)
    with pytest.raises(ValueError, match="n_clusters"):
        run("spatial_mgcn", data, Job(0, 37), **SMALL)


def test_a_loss_that_is_not_finite_is_named(monkeypatch):
    """Bad input: the run stops at the epoch, naming the component."""
    monkeypatch.setattr(
        "methods.spatial_mgcn.model.gram_distance", lambda a, b: (a * float("nan")).sum()
    )
    with pytest.raises(FloatingPointError, match="'consistency' is nan in epoch 1 of 3"):
        run("spatial_mgcn", tissue()[0], Job(0, 3), **SMALL)
