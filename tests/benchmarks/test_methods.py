import json
import subprocess
import sys

import numpy as np

from benchmarks.synthetic import PITCH, dataset
from tests.conftest import REPOSITORY


def test_synthetic_data_are_as_declared():
    data, n_clusters = dataset("spatial", 900, 400)
    assert n_clusters == 7
    assert 0.08 < data.counts.nnz / (900 * 400) < 0.13
    gaps = np.linalg.norm(data.coordinates[1:30] - data.coordinates[:29], axis=1)
    assert abs(np.median(gaps) - PITCH) < 3


def test_rows_have_the_declared_fields(tmp_path):
    command = [
        sys.executable, "benchmarks/methods.py", "--methods", "pca_kmeans", "graphst",
        "--cells", "200", "--epochs", "3", "--threads", "1", "--json", str(tmp_path / "rows.json"),
    ]  # fmt: skip
    subprocess.run(command, cwd=REPOSITORY, check=True, capture_output=True)
    plain, trained = json.loads((tmp_path / "rows.json").read_text())
    fields = {"method", "variant", "cells", "genes", "seconds_per_epoch", "wall_s", "peak_mb"}
    assert set(plain) == set(trained) == fields
    assert plain["seconds_per_epoch"] is None
    assert trained["seconds_per_epoch"] > 0
    assert trained["peak_mb"] > 100
