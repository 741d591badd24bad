import json
import subprocess
import sys

import numpy as np
import pytest
import scipy.sparse as sp

from benchmarks.prepare import blocks
from tests.conftest import REPOSITORY


def test_synthetic_counts_are_as_declared():
    counts = sp.vstack(list(blocks(15_000, 500, 0.05)))
    assert counts.shape == (15_000, 500)
    assert counts.nnz / (15_000 * 500) == pytest.approx(0.05, rel=0.02)
    assert counts.has_canonical_format
    assert counts.data.min() == 1
    assert np.diff(counts.indptr).min() >= 1
    per_gene = np.asarray((counts > 0).sum(axis=0)).ravel()
    assert per_gene.min() > 0.8 * per_gene.mean()


def test_rows_have_the_declared_fields(tmp_path):
    command = [
        sys.executable, "benchmarks/prepare.py", "--cells", "2000", "--genes", "300",
        "--folder", str(tmp_path), "--json", str(tmp_path / "rows.json"),
    ]  # fmt: skip
    subprocess.run(command, cwd=REPOSITORY, check=True, capture_output=True)
    rows = json.loads((tmp_path / "rows.json").read_text())
    fields = {"step", "cells", "genes", "density", "wall_s", "peak_mb", "file_mb"}
    assert [row["step"] for row in rows] == ["make", "prepare", "blind"]
    for row in rows:
        assert set(row) == fields
        assert row["peak_mb"] > 50
        assert row["file_mb"] > 0
    # nothing is left behind
    assert [path.name for path in tmp_path.iterdir()] == ["rows.json"]


@pytest.mark.slow
def test_many_cells_are_prepared_and_blinded_within_limits(tmp_path):
    """The promise for a million cells is 6 GiB and 15 minutes on two cores; these are a fifth."""
    command = [
        sys.executable, "benchmarks/prepare.py", "--folder", str(tmp_path), "--cells", "200000",
        "--json", str(tmp_path / "rows.json"),
    ]  # fmt: skip
    subprocess.run(command, cwd=REPOSITORY, check=True, capture_output=True)
    rows = json.loads((tmp_path / "rows.json").read_text())
    assert {row["cells"] * row["genes"] for row in rows} == {4 * 10**8}
    for row in rows:
        assert row["peak_mb"] < 3 * 1024 / 5
        assert row["wall_s"] < 300 / 5
