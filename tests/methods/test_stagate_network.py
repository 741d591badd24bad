"""STAGATE's weights and their optimiser."""

from __future__ import annotations

import pytest

from methods.shared.training.seeding import torch_stream
from methods.stagate.network import drawn
from tests.methods.test_stagate_model import small


def test_decay_stands_in_the_loss_or_in_adam():
    """With the norm of the error Adam itself decays nothing."""
    for loss, decay in (("norm", 0.0), ("mse", 0.01)):
        groups = small(loss=loss, weight_decay=0.01).optimiser().param_groups
        assert {group["weight_decay"] for group in groups} == {decay}


@pytest.mark.parametrize(("kind", "gain"), [("uniform", 1.0), ("normal", 1.414)])
def test_weights_start_as_in_either_code(kind, gain):
    """Glorot, uniform or normal with gain 1.414."""
    values = drawn(300, 200, kind=kind, fans=(300, 200), generator=torch_stream(0, "weights"))
    assert values.std().item() == pytest.approx(gain * (2 / 500) ** 0.5, rel=0.02)
    largest = (6 / 500) ** 0.5
    assert (values.abs().max().item() <= largest) is (kind == "uniform")
