"""Whole workflows, each in a folder of its own."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path

import anndata
import numpy as np
import pandas as pd
import pytest

from tests.conftest import REPOSITORY

TEST_CONFIG = REPOSITORY / "configs" / "test.yaml"


@dataclass(frozen=True)
class Workflow:
    """A folder that Snakemake works in."""

    folder: Path
    cache: Path

    def copy(self, to: Path) -> Workflow:
        """Copy the folder; with the same cache nothing in it has to be made again."""
        return Workflow(shutil.copytree(self.folder, to), self.cache)

    def command(self, *words: str) -> list[str]:
        """Return Snakemake's command line; targets come first."""
        return [
            sys.executable, "-m", "snakemake", *words,
            "--snakefile", str(REPOSITORY / "Snakefile"), "--directory", str(self.folder),
            "--profile", str(REPOSITORY / "workflow" / "profiles" / "ci"),
            "--config", f"cache={self.cache}",
        ]  # fmt: skip

    def snakemake(self, *words: str, status: int = 0) -> str:
        """Run Snakemake; fail with its output where it does not end with ``status``."""
        done = subprocess.run(
            self.command(*words), capture_output=True, text=True, timeout=1500, env=environment()
        )
        output = done.stdout + done.stderr
        assert done.returncode == status, output[-6000:]
        return output

    def blindfold(self, *words: str) -> subprocess.CompletedProcess[str]:
        """Run the command line in the folder."""
        return subprocess.run(
            [sys.executable, "-m", "blindfold.cli", *words], cwd=self.folder, timeout=1500,
            capture_output=True, text=True, env=environment(),
        )  # fmt: skip

    def config(self, name: str, text: str) -> str:
        """Write a configuration and return its path."""
        path = self.folder / f"{name}.yaml"
        path.write_text(text)
        return str(path)


def environment() -> dict[str, str]:
    """Return the environment with this Python's commands first on the path."""
    return {**os.environ, "PATH": f"{Path(sys.executable).parent}:{os.environ['PATH']}"}


def clusters(results: Path, dataset: str = "*") -> dict[str, bytes]:
    """Return the bytes of every clusters.parquet, by run."""
    return {
        str(path.relative_to(results)): path.read_bytes()
        for path in sorted(results.glob(f"runs/{dataset}/*/*/*/clusters.parquet"))
    }


def scores(results: Path, dataset: str = "*") -> pd.DataFrame:
    """Return every score but the costs, in a fixed order."""
    tables = [pd.read_parquet(path) for path in sorted(results.glob(f"scores/{dataset}/*.parquet"))]
    table = pd.concat(tables)
    return table[table.task != "cost"].reset_index(drop=True)


def write_own(path: Path, spatial: bool, seed: int) -> None:
    """Write planted cells: 120 cells, 80 genes, three kinds."""
    rng = np.random.default_rng(seed)
    kind = np.repeat([0, 1, 2], 40)
    rates = rng.gamma(1.0, 1.0, (3, 80))
    adata = anndata.AnnData(rng.poisson(3 * rates[kind]).astype(np.float32))
    adata.obs["kind"] = pd.Categorical(np.array(["a", "b", "c"])[kind])
    if spatial:
        adata.obsm["spatial"] = np.column_stack([np.arange(120) % 12, np.arange(120) // 12]) * 1.0
    adata.write_h5ad(path)


@pytest.fixture
def workflow(tmp_path: Path) -> Workflow:
    """Return an empty folder to work in."""
    return Workflow(tmp_path, tmp_path / "data")


@pytest.fixture(scope="session")
def finished(tmp_path_factory: pytest.TempPathFactory) -> Workflow:
    """Return a folder in which the test benchmark has run to its end; tests only read it."""
    folder = tmp_path_factory.mktemp("finished")
    made = Workflow(folder, folder / "data")
    made.snakemake("--configfile", str(TEST_CONFIG))
    return made
