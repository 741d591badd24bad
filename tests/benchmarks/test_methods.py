import json
import subprocess
import sys

import numpy as np
import pandas as pd
import pytest

from benchmarks.measure import by_phase
from benchmarks.methods import doubling, least, lines
from benchmarks.plot import ORIGINALS
from benchmarks.synthetic import PITCH, dataset
from tests.conftest import REPOSITORY


def test_synthetic_data_are_as_declared():
    data, n_clusters = dataset("spatial", 900, 400)
    assert n_clusters == 7
    assert 0.08 < data.counts.nnz / (900 * 400) < 0.13
    gaps = np.linalg.norm(data.coordinates[1:30] - data.coordinates[:29], axis=1)
    assert abs(np.median(gaps) - PITCH) < 3


def test_the_drawn_section_holds_every_spot():
    data, _ = dataset("spatial", 400, 50, image=True)
    pixels = data.coordinates * data.scale
    assert (pixels > 0).all()
    assert (pixels < data.image.shape[1::-1]).all()
    assert PITCH * data.scale == pytest.approx(20, abs=0.1)


def test_rows_have_the_declared_fields(tmp_path):
    command = [
        sys.executable, "benchmarks/methods.py", "--methods", "sctag",
        "--cells", "300", "200", "--epochs", "3", "--threads", "1", "--params", '{"n_genes": 90}',
        "--json", str(tmp_path / "rows.json"), "--plot", str(tmp_path / "plots" / "methods"),
    ]  # fmt: skip
    done = subprocess.run(command, cwd=REPOSITORY, check=True, capture_output=True, text=True)
    rows = json.loads((tmp_path / "rows.json").read_text())
    first, trained = rows
    assert (first["cells"], trained["cells"]) == (200, 300)
    assert first["genes"] == 90
    fields = {"method", "variant", "cells", "genes", "seconds_per_epoch", "wall_s", "peak_mb"}
    assert set(first) == set(trained) > fields
    assert list(trained["phases"]) == ["pretraining", "clustering"]
    assert trained["phases"].keys() == trained["cpu_phases"].keys()
    assert 0 < trained["seconds_per_epoch"] < trained["wall_s"]
    assert trained["peak_mb"] > 100
    assert trained["setup_s"] > 0
    growth = lines(trained, first)[0].split()[5]
    expected = trained["phases"]["pretraining"] / first["phases"]["pretraining"]
    assert float(growth) == pytest.approx(expected ** (1 / np.log2(1.5)), abs=0.006)
    assert growth in done.stdout
    drawn = pd.read_csv(tmp_path / "plots" / "methods.csv")
    assert set(drawn["source"]) == {"this repository", "authors' code"}
    assert (tmp_path / "plots" / "methods.pdf").stat().st_size > 1000


def test_epochs_are_sorted_into_phases():
    """The first epoch of a phase holds what lies before it, so it is left out."""
    ticks = [0.0, 1.0, 3.0, 9.0, 9.5, 10.0]
    trace = [{"zinb": 1.0}] * 3 + [{"zinb": 1.0, "clustering": 1.0}] * 3
    assert by_phase(ticks, trace) == {"pretraining": 1.5, "clustering": 0.5}
    assert by_phase(ticks, [{"zinb": 1.0}] * 6) == {"training": 1.0}
    assert by_phase(ticks, []) == {"training": 1.0}
    assert by_phase([], []) == {}


def test_a_method_that_does_not_train_has_one_line():
    row = {
        "method": "pca_kmeans", "variant": "described", "cells": 200, "genes": 60, "phases": {},
        "cpu_phases": {}, "setup_s": None, "wall_s": 1.25, "peak_mb": 300.0, "idle_mb": 250.0,
    }  # fmt: skip
    (line,) = lines(row, row)
    assert line.split() == ["pca_kmeans", "200", "60", *"-----", "1.2", "300", "250", "-"]


def test_of_repeats_the_least_seconds_and_the_largest_memory_count():
    row = {
        "method": "m",
        "seconds_per_epoch": 1.0,
        "setup_s": None,
        "wall_s": 9.0,
        "peak_gpu_mb": None,
    }
    first = row | {"peak_mb": 10.0, "phases": {"a": 1.0, "b": 3.0}, "cpu_phases": {"a": 2.0}}
    second = row | {"peak_mb": 20.0, "phases": {"a": 2.0}, "cpu_phases": {"a": 1.0}, "wall_s": 8.0}
    found = least([first, second])
    assert found["phases"] == {"a": 1.0, "b": 3.0}
    assert found["cpu_phases"] == {"a": 1.0}
    assert (found["wall_s"], found["peak_mb"]) == (8.0, 20.0)
    assert (found["setup_s"], found["peak_gpu_mb"], found["method"]) == (None, None, "m")
    assert least([first]) == first


def test_growth_is_told_per_doubling():
    assert doubling(4, 16.0, 1.0) == pytest.approx(4.0)
    assert doubling(1, 16.0, 1.0) is None
    assert doubling(4, 16.0, None) is None


def test_originals_are_those_of_the_published_measurements():
    """Seconds as measured, memory from megabytes to MiB; every method and size once a phase."""
    table = pd.read_csv(ORIGINALS)
    assert not table.duplicated(["method", "phase", "cells"]).any()
    assert set(table["cells"]) == {2000, 5000, 10000, 20000}
    at = table.set_index(["method", "phase", "cells"])
    assert at["seconds_per_epoch"]["scrcl", "training", 10000] == 22.0
    assert at["peak_mb"]["scgnn", "graph", 20000] == round(24268e6 / 2**20)
