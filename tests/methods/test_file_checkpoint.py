"""Going on after a kill: the same bytes as without it, and no trust in a damaged file."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

from methods.checkpoint import FileCheckpoint
from methods.contract import Job
from tests.methods.interrupted import Killed, go_on_from_everywhere
from tests.methods.toys import SHORT, card, cells, run, tissue, toy

TRAINED = ("sctag", "scrcl", "scgnn", "graphst", "stagate")


CASES = [(name, variant) for name in TRAINED for variant in card(name)["variants"]]


SAMPLED = {"exact_graph_up_to": 40, "width": 30, "refresh": 3, "n_genes": 50}


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


def test_progress_after_a_kill_counts_the_epochs_of_this_attempt(capsys):
    from methods.runner import Printer

    printer = Printer(every=0.0)
    printer.start -= 10
    printer(901, 1000, 0.5)
    assert "0.1/s" in capsys.readouterr().out


def test_a_method_without_a_checkpoint_keeps_nothing():
    assert Job(0).checkpoint.load() is None
    assert len(run("sctag", cells()[0], Job(0, 3), **SHORT).trace) == 8
