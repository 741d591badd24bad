"""Who is asked to impute, and what an answer must hold."""

import json
from pathlib import Path

import anndata
import numpy as np
import pytest

from blindfold.core import io
from blindfold.run.request import Request
from blindfold.run.run import run

CARD = """
title: Half
summary: Half of every count, or nothing
tasks: [clustering, imputation]
modalities: [scrna, spatial]
environment: main
entry: model:fit
parameters:
  how: {type: str, default: blocks, choices: [blocks, nothing, short], meaning: "the answer"}
resources: {minutes: {base: 0.1}}
fidelity: {word: baseline, paper: null}
"""
MODEL = """
import numpy as np
from methods.contract import Data, Job, Params, Result


def fit(data: Data, params: Params, job: Job) -> Result:
    result = Result(np.arange(data.n_cells) % 2, notes={"asked": job.impute})
    half = data.counts.toarray() / 2
    if params.how == "blocks":
        result.imputed = (half[start : start + 7] for start in range(0, data.n_cells, 7))
    if params.how == "short":
        result.imputed = half[:-1]
    return result
"""


def end(blinded: Path, method: str, methods: Path, task: str | None, **params: str) -> dict:
    if task is not None:
        facts = {"dataset": "d", "task": task, "genes": 30, "modality": "scrna", "n_clusters": 2}
        io.write_json(blinded.parent / "card.json", facts)
    out = blinded.parents[2] / "runs" / "d" / method / "3" / "0"
    wanted = Request(method=method, input=blinded, out=out, seed=5, clusters="3", params=params,
                     methods_path=(str(methods), "methods"), sandbox="tripwire",
                     record_only=True)  # fmt: skip
    assert run(wanted) == 0
    return {**json.loads((out / "run.json").read_text()), "out": out}


@pytest.fixture
def methods(tmp_path):
    """Return a folder with one method that imputes."""
    folder = tmp_path / "methods" / "half"
    folder.mkdir(parents=True)
    (folder / "method.yaml").write_text(CARD)
    (folder / "model.py").write_text(MODEL)
    return folder.parent


def test_a_masked_dataset_asks_for_imputed_counts(blinded, methods):
    found = end(blinded, "half", methods, "imputation")
    assert (found["status"], found["notes"]["asked"]) == ("ok", True)
    given, made = (anndata.read_h5ad(p) for p in (blinded, found["out"] / "imputed.h5ad"))
    np.testing.assert_array_equal(made.X, given.X.toarray() / 2)
    assert list(made.obs_names) == list(given.obs_names)
    assert list(made.var_names) == list(given.var_names)


@pytest.mark.parametrize("task", ["clustering", None])
def test_others_do_not_pay_for_it(blinded, methods, task):
    found = end(blinded, "half", methods, task)
    assert (found["status"], found["notes"]["asked"]) == ("ok", False)
    assert not (found["out"] / "imputed.h5ad").exists()


@pytest.mark.parametrize(("how", "words"), [("nothing", "held out"), ("short", "59 rows")])
def test_an_answer_that_is_not_whole_is_invalid(blinded, methods, how, words):
    found = end(blinded, "half", methods, "imputation", how=how)
    assert found["status"] == "invalid"
    assert words in found["reason"]
    assert not (found["out"] / "clusters.parquet").exists()


@pytest.mark.parametrize(
    ("method", "task", "words"),
    [
        ("pca_kmeans", "imputation", "made for clustering; this dataset is for imputation"),
        ("gene_mean", "clustering", "made for imputation; this dataset is for clustering"),
    ],
)
def test_the_task_decides_who_runs(blinded, methods, method, task, words):
    found = end(blinded, method, methods, task)
    assert (found["status"], found["reason"]) == ("unavailable", words)
