"""Going on after a kill: the same bytes as without it, and no trust in a damaged file."""

from __future__ import annotations

import pickle
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

from methods.checkpoint import FileCheckpoint
from methods.contract import Checkpoint, Job, Result
from methods.shared.training.state import restore, state_of
from tests.methods.toys import SHORT, card, cells, run, tissue, toy

TRAINED = ("sctag", "scrcl", "scgnn", "graphst", "stagate")
CASES = [(name, variant) for name in TRAINED for variant in card(name)["variants"]]
SAMPLED = {"exact_graph_up_to": 40, "width": 30, "refresh": 3, "n_genes": 50}


class Killed(BaseException):
    """What no method can catch."""


class Dying(Checkpoint):
    """Keeps every state in memory, and ends the run at one of them."""

    def __init__(self, dies_at: int | None, kept: bytes | None = None) -> None:
        self.dies_at, self.kept, self.count = dies_at, kept, 0

    def load(self) -> Any:
        return None if self.kept is None else pickle.loads(self.kept)

    def save(self, state: Callable[[], Any]) -> None:
        self.kept = pickle.dumps(state())
        self.count += 1
        if self.count == self.dies_at:
            raise Killed


def same(one: Result, other: Result) -> None:
    """Compare bytes; the time that parts took is left out."""
    np.testing.assert_array_equal(one.clusters, other.clusters)
    np.testing.assert_array_equal(one.embedding, other.embedding)
    if one.imputed is not None:
        np.testing.assert_array_equal(*(np.concatenate(list(r.imputed)) for r in (one, other)))
    assert one.trace == other.trace
    assert [epoch for epoch, _ in one.snapshots] == [epoch for epoch, _ in other.snapshots]
    for (_, first), (_, second) in zip(one.snapshots, other.snapshots, strict=True):
        np.testing.assert_array_equal(first, second)
    notes = [{k: v for k, v in r.notes.items() if k != "seconds_per_epoch"} for r in (one, other)]
    assert notes[0] == notes[1]


def go_on_from_everywhere(name: str, variant: str, data: Any, **changes: Any) -> int:
    """Kill a run at every state it keeps; return how many those are."""

    def train(checkpoint: Checkpoint) -> Result:
        job = Job(5, 3, snapshots=4, impute=True, checkpoint=checkpoint)
        return run(name, data, job, variant, **changes)

    undisturbed = Dying(None)
    expected = train(undisturbed)
    for dies_at in range(1, undisturbed.count + 1):
        killed = Dying(dies_at)
        with pytest.raises(Killed):
            train(killed)
        resumed = Dying(None, killed.kept)
        same(expected, train(resumed))
        assert resumed.count == undisturbed.count - dies_at
    return undisturbed.count


@pytest.mark.parametrize(("name", "variant"), CASES)
def test_a_killed_run_ends_with_the_same_bytes(name, variant):
    """From every epoch of every phase (scGNN: between its rounds)."""
    count = go_on_from_everywhere(name, variant, toy(name)[0], **{**SHORT, **SAMPLED})
    assert count == {"sctag": 8, "scgnn": 3}.get(name, 4)


def test_a_tissue_goes_on_too():
    data, _ = tissue()
    go_on_from_everywhere("scrcl", "released", data, epochs=3, width=30, refine=6)


def kept(folder: Path, key: str = "a", every_s: float = 0.0) -> FileCheckpoint:
    return FileCheckpoint(folder, key, every_s)


def test_the_last_state_comes_back_with_the_time_it_took(tmp_path):
    first = kept(tmp_path)
    assert first.load() is None
    for i in range(3):
        first.save(lambda i=i: {"epoch": i, "weights": torch.full((3,), float(i))})
    second = kept(tmp_path)
    state = second.load()
    assert (state["epoch"], state["weights"].tolist()) == (2, [2.0, 2.0, 2.0])
    assert 0 < second.earlier["wall_s"] <= first.spent()["wall_s"] < second.spent()["wall_s"] + 1
    assert [path.name for path in tmp_path.iterdir()] == ["state"]


def test_states_are_asked_for_only_when_due(tmp_path):
    def never() -> Any:
        raise AssertionError("asked")

    kept(tmp_path, every_s=3600).save(never)
    assert not list(tmp_path.iterdir())


@pytest.mark.parametrize("harm", ["cut", "flip", "empty", "digest only", "other key"])
def test_a_damaged_state_or_one_of_another_job_is_ignored(tmp_path, capsys, harm):
    kept(tmp_path).save(lambda: {"weights": np.arange(1000.0)})
    path = tmp_path / "state"
    raw = bytearray(path.read_bytes())
    raw[500] ^= harm == "flip"
    path.write_bytes({"cut": raw[:-100], "empty": b"", "digest only": raw[-32:]}.get(harm, raw))
    found = kept(tmp_path, "b" if harm == "other key" else "a")
    assert found.load() is None
    assert found.earlier == {"wall_s": 0.0, "cpu_s": 0.0}
    assert "ignored" in capsys.readouterr().out


def test_a_kill_while_writing_leaves_the_state_before(tmp_path):
    def killed() -> Any:
        raise Killed

    first = kept(tmp_path)
    first.save(lambda: 1)
    with pytest.raises(Killed):
        first.save(killed)
    assert kept(tmp_path).load() == 1


def test_a_full_disk_costs_the_checkpoint_not_the_run(tmp_path, capsys, monkeypatch):
    first = kept(tmp_path)
    first.save(lambda: 1)

    def full(descriptor: int) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr("methods.checkpoint.os.fsync", full)
    first.save(lambda: 2)
    assert "No space left" in capsys.readouterr().out
    assert kept(tmp_path).load() == 1


def test_what_others_hold_is_changed_in_place():
    """An optimiser holds the centres; generators and networks are referred to from elsewhere."""

    class Owner:
        def __init__(self) -> None:
            self.centres: Any = torch.zeros(2)
            self.loss = type("Loss", (), {"generator": torch.Generator().manual_seed(1)})()
            self.numbers = np.random.default_rng(1)
            self.target: Any = None

    first, second = Owner(), Owner()
    first.centres += 3
    first.target = torch.ones(1)
    torch.rand(1, generator=first.loss.generator)
    first.numbers.random()
    held = second.centres
    names = ("centres", "loss.generator", "numbers", "target")
    restore(second, pickle.loads(pickle.dumps(state_of(first, names))))
    assert held.tolist() == [3.0, 3.0]
    assert second.target.tolist() == [1.0]
    assert second.numbers.random() == first.numbers.random()
    draws = [torch.rand(1, generator=owner.loss.generator) for owner in (first, second)]
    assert torch.equal(*draws)


def test_progress_after_a_kill_counts_the_epochs_of_this_attempt(capsys):
    from methods.runner import Printer

    printer = Printer(every=0.0)
    printer.start -= 10
    printer(901, 1000, 0.5)
    assert "0.1/s" in capsys.readouterr().out


def test_a_method_without_a_checkpoint_keeps_nothing():
    assert Job(0).checkpoint.load() is None
    assert len(run("sctag", cells()[0], Job(0, 3), **SHORT).trace) == 8
