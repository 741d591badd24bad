"""What is done again after which change: no more and no less."""

from __future__ import annotations

import shutil
from collections.abc import Callable
from pathlib import Path

import anndata
import numpy as np
import pandas as pd
import pytest
import yaml

from blindfold.core import io
from tests.e2e.checkout import Copy
from tests.e2e.conftest import write_own

pytestmark = pytest.mark.slow

MODEL = '''"""The parity of a sum."""

import numpy as np

from methods.contract import Data, Job, Params, Result
from methods.shared.parity import of


def fit(data: Data, params: Params, job: Job) -> Result:
    """Split the cells."""
    totals = np.asarray(data.counts.sum(axis=1)).ravel()
    return Result(clusters=of(totals))
'''
CARD = """title: Parity
summary: Splits the cells by the parity of their total counts.
tasks: [clustering]
modalities: [scrna]
environment: main
entry: model:fit
resources: {minutes: {base: 0.1}}
fidelity: {word: baseline, paper: null}
"""
SHARED = '"""Parity."""\n\n\ndef of(totals):\n    return (totals % 2).astype(int)\n'
DATASET = """title: A
organism: none
tissue: none
technology: none
modality: scrna
paper: none
licence: none
reader: h5ad
files:
  - {path: a.h5ad, role: cells, local: a.h5ad}
  - {path: a.csv, role: labels, local: a.csv}
label: {column: kind, file: {role: labels}}
"""


class Benchmark(Copy):
    """Two datasets, one with labels in a file, and two methods."""

    def __init__(self, folder: Path) -> None:
        super().__init__(folder)
        for number, name in enumerate("abc"):
            write_own(folder / f"{name}.h5ad", spatial=False, seed=number)
        labels = anndata.read_h5ad(folder / "a.h5ad").obs["kind"]
        labels.rename_axis("cell").to_csv(folder / "a.csv")
        self.write("workflow/datasets/a.yaml", DATASET)
        self.write("methods/parity/method.yaml", CARD)
        self.write("methods/parity/model.py", MODEL)
        self.write("methods/shared/parity.py", SHARED)
        self.config = {
            "name": "stale", "datasets": ["a", {"id": "b", "path": "b.h5ad", "label": "kind"}],
            "methods": ["parity"], "seeds": 1, "sandbox": "tripwire",
        }  # fmt: skip

    def write(self, name: str, text: str) -> None:
        path = self.folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text)

    def edit(self, name: str, old: str, new: str) -> None:
        text = (self.folder / name).read_text()
        assert old in text, name
        self.write(name, text.replace(old, new, 1))

    def snakemake(self, *words: str) -> str:
        self.write("stale.yaml", yaml.safe_dump(self.config))
        done = self.run("snakemake", *words, "--cores", "2", "--configfile", "stale.yaml")
        assert done.returncode == 0, done.stdout + done.stderr
        return done.stdout + done.stderr

    def planned(self) -> str:
        """Return what would be done."""
        return self.snakemake("-n")

    def children(self) -> dict[str, str]:
        """Return when the child of each run was started."""
        records = sorted(
            (self.folder / "results" / self.config["name"]).glob("runs/*/*/*/*/run.json")
        )
        found = {f"{path.parts[-5]}/{path.parts[-4]}": io.read_json(path) for path in records}
        assert all(record["status"] == "ok" for record in found.values())
        return {name: record["started"] for name, record in found.items()}

    def started_by(self, change: Callable[[], None]) -> set[str]:
        """Make a change, do what is due, and return the runs that a child was started for."""
        before = self.children()
        change()
        self.snakemake("runs")
        return {name for name, at in self.children().items() if before.get(name) != at}


def add_a_comment(benchmark: Benchmark, name: str) -> None:
    text = (benchmark.folder / name).read_text()
    benchmark.write(name, text + "\n# looked at again\n")


def add_code(benchmark: Benchmark, name: str) -> None:
    text = (benchmark.folder / name).read_text()
    benchmark.write(name, text + "\n_LOOKED_AT_AGAIN = 1\n")


def test_each_change_makes_due_what_it_can_change_and_nothing_else(tmp_path):
    """One change after the other, each beside the children that it must start."""
    benchmark = Benchmark(tmp_path)
    of_a, of_b = {"a/parity", "a/random_labels"}, {"b/parity", "b/random_labels"}
    assert benchmark.started_by(lambda: None) == of_a | of_b
    assert "Nothing to be done" in benchmark.snakemake("-n", "runs")

    for name in ("methods/shared/parity.py", "workflow/blindfold/blind/blind.py"):
        add_a_comment(benchmark, name)
    benchmark.edit("methods/parity/model.py", "Split the cells.", "Split the cells, by parity.")
    assert "Nothing to be done" in benchmark.snakemake("-n", "runs"), "comments and docstrings"

    (tmp_path / "mirror").mkdir()
    benchmark.config["mirror"] = [str(tmp_path / "mirror")]
    assert "rule run" not in benchmark.snakemake("-n", "runs"), "a mirror"

    def another_file() -> None:
        write_own(tmp_path / "b.h5ad", spatial=False, seed=9)

    assert benchmark.started_by(another_file) == of_b

    def another_label() -> None:
        table = pd.read_csv(tmp_path / "a.csv")
        table.loc[0, "kind"] = "c"
        table.to_csv(tmp_path / "a.csv", index=False)

    truth = tmp_path / "results" / "stale" / "vault" / "a" / "truth.parquet"
    before = pd.read_parquet(truth)
    assert benchmark.started_by(another_label) == set()
    assert not before.equals(pd.read_parquet(truth))

    library = "workflow/blindfold"
    for name in ("prepare/readers/h5ad.py", "blind/blind.py", "run/outputs.py"):
        prepared = benchmark.folder / "results" / "stale" / "vault" / "a" / "prepared.h5ad"
        at = prepared.stat().st_mtime_ns
        started = benchmark.started_by(lambda name=name: add_code(benchmark, f"{library}/{name}"))
        assert started == set(), name
        assert (prepared.stat().st_mtime_ns > at) == name.startswith("prepare"), name

    add_code(benchmark, f"{library}/score/metrics/n_clusters.py")
    plan = benchmark.planned()
    assert "rule score:" in plan
    assert "rule run:" not in plan, "a metric"

    shared = lambda: add_code(benchmark, "methods/shared/parity.py")  # noqa: E731
    assert benchmark.started_by(shared) == {"a/parity", "b/parity"}

    lock = lambda: add_a_comment(benchmark, "envs/main.lock.txt")  # noqa: E731
    assert benchmark.started_by(lock) == set(), "what is installed is the same"

    told = lambda: benchmark.edit("workflow/datasets/a.yaml", "paper: none", "paper: one")  # noqa: E731
    assert benchmark.started_by(told) == set()

    def one_more() -> None:
        benchmark.config["datasets"].append({"id": "c", "path": "c.h5ad", "label": "kind"})

    assert benchmark.started_by(one_more) == {"c/parity", "c/random_labels"}

    before = benchmark.children()
    benchmark.config |= {"name": "other", "reuse": ["results/stale"]}
    benchmark.snakemake("runs")
    assert benchmark.children() == before, "the benchmark's name"
    record = io.read_json(tmp_path / "results/other/runs/a/parity/truth/0/run.json")
    assert record["reused_from"] == "results/stale/runs/a/parity/truth/0"

    run = tmp_path / "results" / "other" / "runs" / "a" / "parity" / "truth" / "0"
    why = lambda: benchmark.run("blindfold.cli", "why", str(run.relative_to(tmp_path))).stdout  # noqa: E731
    assert "nothing" in why()
    add_code(benchmark, "methods/shared/parity.py")
    assert "code changed" in why()
    shutil.copy(run / "clusters.parquet", run / "embedding.npy")
    assert "embedding.npy" in why()


def test_a_changed_output_is_not_taken_over(tmp_path):
    """A run whose files were changed is done again, wherever it lies."""
    benchmark = Benchmark(tmp_path)
    benchmark.config["datasets"] = ["a"]
    benchmark.snakemake("runs")
    clusters = tmp_path / "results/stale/runs/a/parity/truth/0/clusters.parquet"
    table = pd.read_parquet(clusters)
    table.assign(cluster=np.arange(len(table)) % 3).to_parquet(clusters, index=False)
    benchmark.config |= {"name": "other", "reuse": ["results/stale"]}
    benchmark.snakemake("runs")
    found = tmp_path / "results/other/runs/a/parity/truth/0"
    assert io.read_json(found / "run.json")["reused_from"] is None
    assert pd.read_parquet(found / "clusters.parquet").equals(table)
