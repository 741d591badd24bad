"""A finished results folder is scored and drawn again, and nothing is run."""

from __future__ import annotations

import shutil
import sys

import pandas as pd
import pytest

from blindfold.compare.compare import compare
from blindfold.compare.figures import draw_figures
from blindfold.compare.provenance import provenance
from blindfold.core import io
from blindfold.core.errors import BlindfoldError
from blindfold.core.run_files import RECORD_SCHEMA, read_record
from blindfold.report.report import report
from blindfold.rescore import rescore
from tests.score.synthetic import make_scored

STARTS = ("subprocess.Popen", "os.posix_spawn", "os.exec", "os.fork", "os.forkpty", "os.system")
started: list[str] = []


def _watch(event: str, arguments: tuple) -> None:
    if event in STARTS:
        started.append(event)


sys.addaudithook(_watch)


@pytest.fixture(scope="module")
def recorded(tmp_path_factory):
    """Return a benchmark that has been scored, compared, drawn and reported.

    Each test leaves it as it found it, so far as the others look at it.
    """
    with pytest.MonkeyPatch.context() as patch:
        folder = tmp_path_factory.mktemp("recorded")
        plan = make_scored(folder, patch, methods=["pca_kmeans", "graphst"], seeds=2)
        for step in (compare, provenance, draw_figures, report):
            step(plan.layout)
        yield plan


def made(at):
    return {
        path.relative_to(at.root): path.read_bytes()
        for folder in ("scores", "markers", "epochs", "tables", "figures", "report")
        for path in sorted((at.root / folder).rglob("*"))
        if path.is_file()
    }


def test_everything_is_made_again_without_a_child(recorded):
    at = recorded.layout
    before, runs = made(at), io.sha256(at.record("cells", "pca_kmeans", "truth", 0))
    assert len(before) > 30
    for folder in ("scores", "markers", "epochs", "tables", "figures", "report"):
        shutil.rmtree(at.root / folder)
    count = len(started)
    rescore(at)
    assert started[count:] == []
    assert made(at) == before
    assert io.sha256(at.record("cells", "pca_kmeans", "truth", 0)) == runs


def test_older_records_are_read_and_newer_ones_refused_in_a_line(recorded):
    at = recorded.layout
    path = at.record("cells", "pca_kmeans", "truth", 0)
    record = io.read_json(path)
    record.pop("schema", None)
    io.write_json(path, record)
    compare(at)
    assert len(pd.read_csv(at.table("runs.csv"))) == len(recorded.runs)
    io.write_json(path, record | {"schema": RECORD_SCHEMA + 1})
    with pytest.raises(BlindfoldError, match=r"run\.json: written by a newer version") as caught:
        read_record(at, "cells", "pca_kmeans", "truth", 0)
    assert "\n" not in str(caught.value)
    io.write_json(path, record)


def test_scores_of_an_older_version_say_what_to_do(recorded):
    at = recorded.layout
    path = at.scores("cells", "pca_kmeans")
    table = pd.read_parquet(path)
    table.attrs = {}
    io.write_parquet(path, table)
    with pytest.raises(BlindfoldError, match="blindfold rescore"):
        compare(at)
    rescore(at)
    compare(at)
