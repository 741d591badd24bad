"""What was changed after a run is not scored."""

from __future__ import annotations

import json

import numpy as np
import pandas as pd
import pytest

from blindfold.core import io
from blindfold.core.run_files import times_asked_again, verified_record
from blindfold.score.score import score
from tests.score.synthetic import make_results

RUN = ("cells", "pca_kmeans", "truth", 0)


@pytest.fixture
def plan(tmp_path, monkeypatch):
    """Return a benchmark of one method whose records hold the checksums of their files."""
    made = make_results(tmp_path, monkeypatch, methods=["pca_kmeans"])
    for run in made.runs:
        folder = made.layout.run(run.dataset, run.method, run.k, run.seed)
        if (folder / "clusters.parquet").exists():
            sums = {"clusters.parquet": io.sha256(folder / "clusters.parquet")}
            record = io.read_json(folder / "run.json") | {"schema": 3, "outputs": sums}
            io.write_json(folder / "run.json", record)
    return made


def test_what_is_as_it_was_stays_ok(plan):
    folder = plan.layout.run(*RUN)
    before = io.sha256(folder / "run.json")
    assert verified_record(plan.layout, *RUN)["status"] == "ok"
    assert io.sha256(folder / "run.json") == before
    assert times_asked_again(folder) == 0


@pytest.mark.parametrize("how", ["changed", "removed", "added", "replaced by another run's"])
def test_what_changed_is_killed_and_asked_for_again(plan, how):
    folder = plan.layout.run(*RUN)
    path = folder / "clusters.parquet"
    if how == "changed":
        pd.read_parquet(path).assign(cluster=0).to_parquet(path, index=False)
    elif how == "removed":
        path.unlink()
    elif how == "added":
        np.save(folder / "embedding.npy", np.zeros((3, 2)))
    else:
        path.write_bytes((plan.layout.run(*RUN[:3], 1) / "clusters.parquet").read_bytes())
    found = verified_record(plan.layout, *RUN)
    name = "embedding.npy" if how == "added" else "clusters.parquet"
    assert found["status"] == "killed"
    assert found["reason"] == f"outputs changed after the run: {name}"
    assert json.loads((folder / "run.json").read_text()) == found
    assert times_asked_again(folder) == 1
    assert verified_record(plan.layout, *RUN)["status"] == "killed"
    assert times_asked_again(folder) == 1


def test_the_other_runs_are_scored(plan):
    (plan.layout.run(*RUN) / "clusters.parquet").write_bytes(b"no table at all")
    score(plan.layout, "cells", "pca_kmeans", [("truth", seed) for seed in range(3)])
    table = pd.read_parquet(plan.layout.scores("cells", "pca_kmeans")).query("metric == 'ari'")
    assert table.set_index("seed")["status"].to_dict() == {0: "killed", 1: "ok", 2: "ok"}
    assert table.set_index("seed")["value"].notna().to_dict() == {0: False, 1: True, 2: True}
