"""Every trick computes what its plain formula says, and the table says what each gains."""

import functools

import pandas as pd
import pytest

from benchmarks.plain import PLAIN, put_in_place
from benchmarks.tricks import KEY, TABLE, keep
from methods.contract import Job
from tests.methods.toys import SHORT, run, toy


def trace(name):
    """Return the losses of a short training."""
    method, _, variant = name.partition("@")
    asked = {"variant": variant or "described", "kmeans_starts": 1, **SHORT}
    return run(method, toy(method)[0], Job(seed=3, n_clusters=3), **asked).trace


with_tricks = functools.cache(trace)


@pytest.mark.parametrize(
    ("trick", "name"),
    [(trick, name) for trick in PLAIN for name in PLAIN[trick].methods],
)
def test_losses_are_those_of_the_plain_formula(trick, name, monkeypatch):
    ours = with_tricks(name)
    put_in_place(trick, monkeypatch.setattr)
    theirs = trace(name)
    assert [row.keys() for row in ours] == [row.keys() for row in theirs]
    for row, plain in zip(ours, theirs, strict=True):
        assert row == pytest.approx(plain, rel=1e-4, abs=1e-6)


def test_what_stays_gains_or_saves_memory():
    """1.3 times faster epochs somewhere, or a tenth of the peak memory saved somewhere."""
    rows = pd.read_csv(TABLE)
    assert set(PLAIN) <= set(rows["trick"])
    for trick, part in rows[rows["trick"].isin(PLAIN)].groupby("trick"):
        saves = part["plain_peak_mb"] > 1.1 * part["peak_mb"]
        assert part["gain"].max() >= 1.3 or saves.any(), trick


def test_measured_rows_replace_older_ones_and_others_stay(tmp_path):
    table = tmp_path / "tricks.csv"
    row = dict.fromkeys(KEY, "x") | {"cells": 10, "gain": 1.0}
    keep([row, row | {"trick": "y"}], table)
    found = keep([row | {"gain": 2.0}], table)
    assert found["gain"].tolist() == [2.0, 1.0]
    assert pd.read_csv(table)["trick"].tolist() == ["x", "y"]
