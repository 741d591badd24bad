"""The training loop: trace, snapshots, progress and what happens to NaN."""

from __future__ import annotations

import pytest
import torch

from methods.contract import Job, Params
from methods.shared.training.loop import Training, adam_with_decay, fused_adam
from methods.shared.training.seeding import random_stream


def train(job: Job, epochs: int = 10, bad: int | None = None) -> tuple[Training, torch.Tensor]:
    x = torch.ones(3, requires_grad=True)

    def step(epoch: int) -> dict[str, torch.Tensor]:
        scale = float("nan") if epoch + 1 == bad else 1.0
        return {"fit": x.square().sum(), "penalty": scale * 0.1 * x.abs().sum()}

    training = Training(job, epochs, lambda: random_stream(job.seed, "head").integers(9, size=5))
    training.run(fused_adam([x], 0.1), step, epochs)
    return training, x


def test_trace_holds_every_component():
    training, _ = train(Job(0))
    assert [row["epoch"] for row in training.trace] == list(range(1, 11))
    assert training.trace[0] == pytest.approx({"epoch": 1, "loss": 3.3, "fit": 3, "penalty": 0.3})
    assert training.trace[-1]["loss"] < training.trace[0]["loss"]


@pytest.mark.parametrize(("count", "epochs"), [(0, []), (2, [5, 10]), (3, [3, 6, 10]), (99, None)])
def test_snapshots_are_even_and_include_the_last(count, epochs):
    training, _ = train(Job(0, snapshots=count))
    wanted = list(range(1, 11)) if epochs is None else epochs
    assert [epoch for epoch, _ in training.snapshots] == wanted


def test_snapshots_leave_training_as_it_was():
    assert torch.equal(train(Job(3))[1], train(Job(3, snapshots=5))[1])


def test_nan_names_component_and_epoch():
    with pytest.raises(FloatingPointError, match=r"'penalty' is nan in epoch 4 of 10"):
        train(Job(0), bad=4)


def test_progress_is_reported():
    seen = []
    train(Job(0, progress=lambda done, total, loss: seen.append((done, total))))
    assert seen == [(i, 10) for i in range(1, 11)]


def test_adam_takes_rate_and_decay_off_the_card():
    """The decay is added to the gradient: a weight without one moves by the rate towards zero."""
    network = torch.nn.Linear(1, 1, bias=False)
    torch.nn.init.ones_(network.weight)
    optimiser = adam_with_decay(network, Params(learning_rate=0.25, weight_decay=0.5))
    (0 * network.weight).sum().backward()
    optimiser.step()
    assert network.weight.item() == pytest.approx(0.75)
