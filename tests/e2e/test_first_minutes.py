"""From a clean shell, and what the end of the screen says where something fails."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import anndata
import pytest

from tests.conftest import REPOSITORY
from tests.e2e.conftest import write_own

pytestmark = pytest.mark.slow

CONFIG = """
name: first
datasets: [{id: mine, path: %s, label: kind}]
methods: [pca_kmeans]
seeds: 1
sandbox: tripwire
"""


def start(folder: Path, *words: str) -> subprocess.CompletedProcess[str]:
    """Start Snakemake beside this interpreter, from a shell that has not activated it."""
    snakemake = Path(sys.executable).with_name("snakemake")
    config = folder / "first.yaml"
    config.write_text(CONFIG % (folder / "mine.h5ad"))
    return subprocess.run(
        [snakemake, "--cores", "2", "--snakefile", REPOSITORY / "Snakefile", "--directory", folder,
         "--configfile", config, *words],
        env={"PATH": "/usr/bin:/bin", "HOME": os.environ["HOME"]}, capture_output=True, text=True,
        timeout=300,
    )  # fmt: skip


def test_a_shell_that_has_not_activated_the_environment(tmp_path):
    write_own(tmp_path / "mine.h5ad", spatial=False, seed=0)
    done = start(tmp_path)
    assert done.returncode == 0, done.stdout + done.stderr
    assert (tmp_path / "results" / "first" / "report" / "index.html").is_file()


def test_the_last_screen_names_the_reason_of_a_failed_step(tmp_path):
    write_own(tmp_path / "mine.h5ad", spatial=False, seed=0)
    flawed = anndata.read_h5ad(tmp_path / "mine.h5ad")
    flawed.X[0, 0] = -1
    flawed.write_h5ad(tmp_path / "mine.h5ad")
    done = start(tmp_path)
    assert done.returncode == 1
    screen = (done.stdout + done.stderr).splitlines()[-24:]
    (told,) = [line for line in screen if line.startswith("failed: ")]
    assert told.startswith("failed: prepare: ")
    assert "negative" in told
    assert "results/first/logs/prepare/mine.log" in told
    assert not any(len(line) > 2000 for line in (done.stdout + done.stderr).splitlines())


def test_a_wrong_key_names_the_users_file(tmp_path):
    write_own(tmp_path / "mine.h5ad", spatial=False, seed=0)
    (tmp_path / "second.yaml").write_text("sandbox: box\n")
    done = start(tmp_path, str(tmp_path / "second.yaml"))
    assert done.returncode == 1
    told = done.stdout + done.stderr
    assert str(tmp_path / "second.yaml") in told
    assert "landlock" in told, "the allowed values"
