"""Several benchmarks in one table of the documentation."""

from __future__ import annotations

import re

import pandas as pd
import pytest

from blindfold.compare.benchmark import read_benchmark
from blindfold.compare.publish import COLUMNS, benchmark_rows, publish, replaced, summary
from blindfold.core import io
from blindfold.core.errors import BlindfoldError
from blindfold.core.layout import REPOSITORY

GIT = {"repository": {"commit": "0123456789abcdef", "dirty": False}}
ROW = dict.fromkeys(COLUMNS, "") | {
    "dataset": "goolam", "method": "sctag", "variant": "described", "k": "truth", "seed": "0",
    "ari": "0.5", "nmi": "0.70", "n_clusters": "5", "status": "ok", "commit": "c0ffee",
    "configuration": "first",
}  # fmt: skip


def table(*rows):
    return pd.DataFrame([ROW | row for row in rows], dtype=str)


def test_a_row_is_a_run(scored):
    rows = benchmark_rows(read_benchmark(scored.layout), GIT)
    assert list(rows) == COLUMNS
    assert not set(rows["status"]) & {"unavailable", "killed"}
    assert "random_labels" not in set(rows["method"])
    assert len(rows) == sum(
        record["status"] not in ("unavailable", "killed") and record["method"] != "random_labels"
        and record["method"] != "coordinates_kmeans"
        for record in map(io.read_json, scored.layout.root.glob("runs/*/*/*/*/run.json"))
    )  # fmt: skip
    one = rows.set_index(["dataset", "method", "variant", "seed"]).loc[
        ("tissue", "graphst", "described", "1")
    ]
    assert (one["commit"], one["configuration"]) == ("0123456789", "synthetic")
    assert 0.5 < float(one["ari"]) < 1
    assert float(one["refined_ari"]) > float(one["ari"])  # domains are wide
    assert one["best_epoch"] == ""
    assert one["n_clusters"] == "5"
    failed = rows[rows["status"] == "crash"]
    assert set(failed["ari"]) == {""}


def test_rows_stay_until_a_run_replaces_them():
    old = table({"seed": "0"}, {"seed": "1", "ari": "0.50"}, {"method": "scgnn"})
    new = table({"seed": "1", "ari": "0.9", "commit": "new"}, {"seed": "2"})
    both = replaced(old, new)
    assert both["seed"].tolist() == ["0", "1", "0", "2"]
    assert both["ari"].tolist() == ["0.5", "0.9", "0.5", "0.5"]
    pd.testing.assert_frame_equal(both.iloc[[0, 2]].reset_index(drop=True),
                                  old.iloc[[0, 2]].reset_index(drop=True))  # fmt: skip


def test_the_document_is_filled_between_its_marks(scored, tmp_path):
    scored.layout.provenance.write_text("{}")
    io.write_json(scored.layout.provenance, GIT)
    path, text = tmp_path / "all.csv", tmp_path / "all.md"
    with pytest.raises(BlindfoldError, match="a mark is missing"):
        publish(path, [scored.layout])
    text.write_text("# All\n\n<!-- made: summary -->\nold\n<!-- end -->\nafter\n")
    publish(path, [scored.layout])
    first = path.read_bytes(), text.read_text()
    assert "old" not in first[1]
    assert first[1].startswith("# All\n")
    assert first[1].endswith("after\n")
    assert "at `0123456789` (synthetic)" in first[1]
    assert "## tissue" in first[1]
    publish(path, [scored.layout])
    publish(path, [])
    assert (path.read_bytes(), text.read_text()) == first


def test_means_failures_and_what_fell_behind():
    failed = {"method": "scgnn", "ari": "", "nmi": "", "status": "oom"}
    rows = table(
        *({"method": "pca_kmeans", "seed": str(i), "ari": "0.8"} for i in range(3)),
        *({"seed": str(i), "ari": a} for i, a in enumerate(("0.5", "0.6", "0.7"))),
        {"method": "scrcl", "ari": "0.71"}, failed,
    )  # fmt: skip
    text = summary(rows)
    assert "| sctag | 3 | 0.600 [" in text
    assert "- sctag on goolam: 0.600, 0.200 below 0.800" in text
    assert "scrcl on goolam" not in text
    assert "- scgnn, seed 0, on goolam: oom" in text
    assert "8 at `c0ffee` (first)" in text
    assert "What choosing" not in text


def test_what_the_labels_would_choose_is_averaged_over_datasets():
    """A dataset counts once however many seeds it has: 0.5 to 0.6 on one, 0.2 to 0.7 on b."""
    ends = [("a", "0.4", "0.6"), ("a", "0.6", "0.6"), ("b", "0.2", "0.7"), ("c", "0.9", "")]
    rows = table(*(
        {"dataset": d, "seed": str(i), "ari": last, "best_epoch_ari": best}
        for i, (d, last, best) in enumerate(ends)
    ))  # fmt: skip
    assert "| sctag | 2 | 0.350 | 0.650 | +0.300 | +0.500 on b |" in summary(rows)


@pytest.mark.parametrize("name", ["scrna", "tissues", "reproduction", "generic"])
def test_published_tables_are_what_their_rows_say(name, tmp_path):
    folder = REPOSITORY / "docs" / "results"
    for suffix in (".csv", ".md"):
        (tmp_path / f"{name}{suffix}").write_bytes((folder / f"{name}{suffix}").read_bytes())
    publish(tmp_path / f"{name}.csv", [])
    for suffix in (".csv", ".md"):
        made = (tmp_path / f"{name}{suffix}").read_text()
        assert made == (folder / f"{name}{suffix}").read_text(), "blindfold publish writes it anew"
    rows = pd.read_csv(folder / f"{name}.csv", dtype=str, keep_default_na=False)
    assert list(rows) == COLUMNS
    assert not rows.duplicated(["dataset", "method", "variant", "k", "seed"]).any()
    assert rows["configuration"].ne("").all()
    told = list(re.findall(r"configs/(\w+)\.yaml", (folder / f"{name}.md").read_text()))
    assert told
    assert all((REPOSITORY / "configs" / f"{config}.yaml").is_file() for config in told)
