"""The skeleton of `fit`: what is refused, phases one after the other, start, end and kills."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np
import pytest
import torch

from methods.contract import Data, Job, Result
from methods.shared.training.fit import Phase, check_data, train_and_cluster
from methods.shared.training.loop import fused_adam
from tests.methods.interrupted import Dying, Killed, same
from tests.methods.toys import tissue

X = torch.linspace(-1, 1, 8).view(4, 2)


class Model:
    """A linear layer that follows a target, which the second phase moves."""

    CHANGES = ("network", "target")

    def __init__(self) -> None:
        self.network = torch.nn.Linear(2, 2)
        torch.nn.init.eye_(self.network.weight)
        torch.nn.init.zeros_(self.network.bias)
        self.target = torch.zeros(4, 2)

    def step(self, epoch: int) -> dict[str, torch.Tensor]:
        return {"error": (self.network(X) - self.target).square().mean()}

    def embedding(self) -> np.ndarray:
        with torch.no_grad():
            return self.network(X).numpy()


def trained(job: Job, start: np.ndarray | None = None) -> tuple[Model, Result]:
    """Train for three epochs, move the target one away from where they led, train for two."""
    model = Model()

    def phases() -> Iterator[Phase]:
        yield Phase(fused_adam(model.network.parameters(), 0.1), model.step, 3)
        with torch.no_grad():
            model.target = model.network(X) + 1
        yield Phase(fused_adam(model.network.parameters(), 0.01), model.step, 2)

    def head() -> Result:
        z = model.embedding()
        return Result((z[:, 0] > z[:, 0].mean()).astype(int), z, notes={"last": float(z[0, 0])})

    return model, train_and_cluster(model, job, 5, phases(), head, start)


def test_the_result_is_what_the_head_says_at_the_end():
    model, result = trained(Job(0, snapshots=5))
    np.testing.assert_array_equal(result.embedding, model.embedding())
    assert result.notes == {"last": float(model.embedding()[0, 0])}
    assert [row["epoch"] for row in result.trace] == [1, 2, 3, 4, 5]
    assert [epoch for epoch, _ in result.snapshots] == [1, 2, 3, 4, 5]
    np.testing.assert_array_equal(result.snapshots[-1][1], result.clusters)


def test_a_phase_starts_from_what_the_last_one_left():
    """Its target is made after three epochs, one away from each of four outputs."""
    trace = trained(Job(0))[1].trace
    assert trace[0]["loss"] == pytest.approx(X.square().mean().item())
    assert trace[2]["loss"] < trace[0]["loss"]
    assert trace[3]["loss"] == pytest.approx(1)
    assert trace[4]["loss"] < 1


def test_a_start_stands_before_all_snapshots():
    start = np.array([0, 1, 2, 3])
    result = trained(Job(0, snapshots=1), start)[1]
    assert [epoch for epoch, _ in result.snapshots] == [0, 5]
    np.testing.assert_array_equal(result.snapshots[0][1], start)


@pytest.mark.parametrize("dies_at", range(1, 6))
def test_a_killed_run_goes_on_in_either_phase(dies_at):
    """Target and weights come back; what is computed between phases that are skipped does not."""
    start = np.zeros(4, dtype=int)
    _, whole = trained(Job(0, snapshots=3), start)
    killed = Dying(dies_at)
    with pytest.raises(Killed):
        trained(Job(0, snapshots=3, checkpoint=killed), start)
    _, resumed = trained(Job(0, snapshots=3, checkpoint=Dying(None, killed.kept)), start)
    same(whole, resumed)


def test_more_clusters_than_cells_and_missing_coordinates_are_refused():
    data, _ = tissue(4)
    check_data(data, Job(0, 16), "Potts")
    check_data(data, Job(0, None), "Potts")
    with pytest.raises(ValueError, match="n_clusters: 17 clusters asked of 16 cells"):
        check_data(data, Job(0, 17))
    bare = Data(data.counts, data.genes)
    check_data(bare, Job(0, 3))
    with pytest.raises(ValueError, match=r"coordinates: none given.*Potts"):
        check_data(bare, Job(0, 3), "Potts")
