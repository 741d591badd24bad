"""`blindfold methods`, `datasets`, `explain`, and how the command line tells problems."""

import subprocess
import sys

import anndata
import numpy as np
import pandas as pd
import pytest
import yaml

from tests.conftest import REPOSITORY


def blindfold(*words: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "-m", "blindfold.cli", *words],
        cwd=REPOSITORY,
        capture_output=True,
        text=True,
    )


def test_everything_is_listed():
    lines = {line.split()[0]: line for line in blindfold("methods").stdout.splitlines() if line}
    for path in (REPOSITORY / "methods").glob("*/method.yaml"):
        word = yaml.safe_load(path.read_text())["fidelity"]["word"]
        assert f"  {word}  " in lines[path.parent.name]
    datasets = blindfold("datasets").stdout
    assert "pbmc68k" in datasets
    assert "mosaic" in datasets


def test_a_file_of_ones_own_is_checked(tmp_path):
    counts = np.random.default_rng(0).poisson(2, (40, 30)).astype(np.float32)
    kinds = pd.DataFrame({"kind": ["a", "b"] * 20}, index=[f"cell{i}" for i in range(40)])
    adata = anndata.AnnData(counts, obs=kinds)
    adata.write_h5ad(tmp_path / "good.h5ad")
    adata.X = np.log1p(counts / counts.sum(axis=1, keepdims=True) * 1e4)
    adata.write_h5ad(tmp_path / "normalised.h5ad")
    (tmp_path / "broken.h5ad").write_bytes((tmp_path / "good.h5ad").read_bytes()[:3000])
    answers = {
        name: blindfold("check", str(tmp_path / f"{name}.h5ad"), "--label", "kind")
        for name in ("good", "normalised", "broken")
    }
    assert {name: done.returncode for name, done in answers.items()} == {
        "good": 0,
        "normalised": 1,
        "broken": 1,
    }
    assert "this file can be used" in answers["good"].stdout
    assert "40 cells x 30 genes, counts" in answers["good"].stdout
    assert "log(1 + counts normalised to 10000" in answers["normalised"].stdout
    assert "truncated or damaged" in answers["broken"].stdout


@pytest.mark.parametrize(
    ("name", "words"),
    [
        ("sctag", ["method sctag", "released", "10.1609/aaai.v36i4.20392"]),
        ("pbmc68k", ["dataset pbmc68k", "scrna", "sha256"]),
        ("ari", ["Adjusted Rand index", "Hubert"]),
    ],
)
def test_cards_are_printed(name, words):
    printed = blindfold("explain", name).stdout
    for word in words:
        assert word in printed


def test_a_card_that_extends_another_is_printed_whole():
    base, printed = (yaml.safe_load(blindfold("explain", name).stdout.split("\n\n", 1)[1])
                     for name in ("dlpfc_151669", "dlpfc_151669_bass"))  # fmt: skip
    assert "extends" not in printed
    differs = {key for key in base | printed if base.get(key) != printed.get(key)}
    assert differs == {"title", "reason", "files", "options", "tags"}


def test_a_problem_is_one_message_unless_debug_is_asked_for():
    told = blindfold("explain", "scta")
    assert told.returncode == 1
    assert told.stderr.startswith("error: nothing is called 'scta'")
    assert "did you mean 'sctag'" in told.stderr
    assert "Traceback" not in told.stderr
    assert "Traceback" in blindfold("--debug", "explain", "scta").stderr


def test_protection_is_told():
    assert "tripwire" in blindfold("protection").stdout
    assert "unprotected" in blindfold("protection", "--sandbox", "none").stdout
