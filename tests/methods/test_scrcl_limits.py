"""scRCL on many cells and on awkward ones: memory, bad input, losses that are not finite."""

from __future__ import annotations

import dataclasses

import numpy as np
import pytest
import torch

from methods.contract import Job
from methods.scrcl.model import Model, prepare
from tests.methods.toys import cells, params, run
from tests.methods.watch import Largest

SMALL = {"width": 40, "epochs": 15}


def test_no_tensor_is_cells_by_cells_or_cells_by_genes():
    """Above 5,000 cells the largest tensor is cells x width."""
    data, _ = cells(5200, genes=400)
    chosen = params("scrcl", width=24)
    model = Model(prepare(data, chosen), 3, chosen, Job(0, 3))
    with Largest() as largest:
        torch.stack(list(model.step(0).values())).sum().backward()
    assert largest.size <= max(5200 * 24, model.features.matrix.forward.values().numel())


def test_a_batch_of_one_cell_changes_nothing():
    """Bad input: scRCL does not use batches."""
    data, _ = cells()
    batch = np.zeros(90, dtype=int)
    batch[0] = 1
    first = run("scrcl", data, Job(0, 3), **SMALL).clusters
    second = run("scrcl", dataclasses.replace(data, batch=batch), Job(0, 3), **SMALL).clusters
    np.testing.assert_array_equal(first, second)


@pytest.mark.parametrize("component", ["distribution", "neighbours", "consistency"])
def test_the_loss_that_is_not_finite_is_named(component, monkeypatch):
    """Bad input: the run stops at the epoch, naming the component that was lost."""
    original = Model.step

    def broken(self, epoch):
        losses = original(self, epoch)
        return {**losses, component: losses[component] * (float("nan") if epoch == 4 else 1)}

    monkeypatch.setattr(Model, "step", broken)
    with pytest.raises(FloatingPointError, match=f"'{component}' is nan in epoch 5 of 15"):
        run("scrcl", cells()[0], Job(0, 3), **SMALL)
