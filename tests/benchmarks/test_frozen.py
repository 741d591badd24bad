"""The record of what a benchmark says, and the configuration that freezes every method."""

import numpy as np
import pandas as pd
import pytest
import yaml

from benchmarks.frozen import differences, record
from tests.conftest import REPOSITORY
from tests.methods.toys import NAMES, card


def test_every_method_and_variant_is_frozen():
    entries = yaml.safe_load((REPOSITORY / "configs" / "frozen.yaml").read_text())["methods"]
    frozen = {entry if isinstance(entry, str) else entry["name"] for entry in entries}
    variants = {(name, variant) for name in NAMES for variant in card(name)["variants"]}
    assert frozen == {n if v == "described" else f"{n}@{v}" for n, v in variants}


@pytest.fixture
def results(tmp_path):
    run = tmp_path / "runs" / "d" / "m" / "truth" / "0"
    run.mkdir(parents=True)
    pd.DataFrame({"cell": ["c1", "c2"], "cluster": [0, 1]}).to_parquet(run / "clusters.parquet")
    np.save(run / "embedding.npy", np.eye(2, dtype=np.float32))
    (run / "run.json").write_text('{"status": "ok", "n_clusters": 2, "notes": {"k_rule": "x"}}')
    scores = tmp_path / "scores" / "d"
    scores.mkdir(parents=True)
    write_scores(scores / "m.parquet", ari=0.5, seconds=1.0)
    return tmp_path


def write_scores(path, ari, seconds):
    rows = {"task": ["clustering", "cost"], "metric": ["ari", "fit_s"], "value": [ari, seconds]}
    pd.DataFrame(rows).to_parquet(path)


def test_costs_may_differ_but_nothing_else(results):
    before = record(results)
    assert len(before) == 4
    write_scores(results / "scores/d/m.parquet", ari=0.5, seconds=2.0)
    assert differences(before, record(results)) == []
    write_scores(results / "scores/d/m.parquet", ari=0.5000001, seconds=2.0)
    np.save(results / "runs/d/m/truth/0/embedding.npy", np.eye(2, dtype=np.float32) * 1.0001)
    assert differences(before, record(results)) == [
        "changed  runs/d/m/truth/0/embedding.npy", "changed  scores/d/m.parquet",
    ]  # fmt: skip


def test_lost_and_new_files_are_told(results):
    before = record(results)
    file = results / "runs/d/m/truth/0/embedding.npy"
    file.rename(results / "runs/d/m/truth/0/snapshots.parquet.npy")
    after = record(results)
    assert differences(before, after) == ["missing  runs/d/m/truth/0/embedding.npy"]
    assert differences(after, before) == ["new      runs/d/m/truth/0/embedding.npy"]


def test_an_empty_folder_is_no_record(tmp_path):
    with pytest.raises(FileNotFoundError, match="holds no run"):
        record(tmp_path)
