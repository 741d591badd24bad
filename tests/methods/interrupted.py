"""Kills a run at every state that it keeps."""

from __future__ import annotations

import pickle
from collections.abc import Callable
from typing import Any

import numpy as np
import pytest

from methods.contract import Checkpoint, Job, Result
from tests.methods.toys import run


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
