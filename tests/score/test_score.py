from __future__ import annotations

import shutil
import subprocess
import sys

import numpy as np
import pandas as pd
import pytest
from sklearn.metrics import adjusted_rand_score

from blindfold.core import io
from blindfold.core.errors import BlindfoldError
from blindfold.score.metric import choose_metrics, find_metrics
from blindfold.score.oracle import oracle
from blindfold.score.score import score
from tests.score.synthetic import CELLS, CLASSES

RUNS = [("truth", 0), ("truth", 1), ("truth", 2)]


def scores(plan, dataset="cells", method="sctag", metrics="all", runs=RUNS) -> pd.DataFrame:
    score(plan.layout, dataset, method, runs, metrics)
    return pd.read_parquet(plan.layout.scores(dataset, method))


def test_one_row_per_run_and_metric(plan):
    table = scores(plan)
    assert list(table.columns) == [
        "dataset",
        "method",
        "variant",
        "k",
        "seed",
        "task",
        "metric",
        "value",
        "status",
    ]
    asked = [
        metric
        for metric in find_metrics().values()
        if metric.known_of_failures
        and metric.task != "imputation"
        and "refined_clusters" not in metric.needs
    ]
    assert len(table) == 3 * len(asked)
    failed = table[table["seed"] == 2]
    assert set(failed["status"]) == {"oom"}
    assert failed[failed["task"] != "cost"]["value"].isna().all()
    assert failed.set_index("metric")["value"]["wall_s"] > 0
    fine = table[(table["seed"] != 2) & (table["task"] != "cost")]
    assert fine["value"].notna().all()


def test_the_start_has_rows_where_it_was_kept(plan):
    before = scores(plan)
    folder = plan.layout.run("cells", "sctag", "truth", 1)
    table = pd.read_parquet(folder / "clusters.parquet")
    start = table.assign(epoch=0, cluster=table["cluster"].clip(upper=1))
    io.write_parquet(folder / "snapshots.parquet", pd.concat([start[::-1], table.assign(epoch=9)]))
    after = scores(plan)
    of_start = after["metric"].isin(["ari_start", "nmi_start"])
    pd.testing.assert_frame_equal(after[~of_start].reset_index(drop=True), before)
    assert set(after.loc[of_start, "seed"]) == {1}
    truth = pd.read_parquet(plan.layout.truth("cells")).merge(start, on="cell")
    truth = truth[truth["label"].fillna("") != ""]
    expected = adjusted_rand_score(truth["label"], truth["cluster"])
    found = after[of_start].set_index("metric")["value"]
    assert found["ari_start"] == pytest.approx(expected)
    assert found["ari_start"] < before.set_index(["seed", "metric"])["value"][1, "ari"]


def test_a_damaged_snapshot_is_an_error(plan):
    folder = plan.layout.run("cells", "sctag", "truth", 1)
    table = pd.read_parquet(folder / "clusters.parquet").assign(epoch=0)
    io.write_parquet(folder / "snapshots.parquet", table[1:])
    with pytest.raises(BlindfoldError, match=r"snapshots\.parquet"):
        scores(plan)


def test_variant_stands_in_its_own_column(plan):
    table = scores(plan, method="sctag@released", runs=[("truth", 0)])
    assert set(table["method"]) == {"sctag"}
    assert set(table["variant"]) == {"released"}


def test_a_run_without_record_was_killed(plan):
    table = scores(plan, method="ghost")
    assert set(table["status"]) == {"killed"}
    assert table["value"].isna().all()
    assert pd.read_parquet(plan.layout.markers("cells", "ghost")).empty


def test_unlabelled_cells_are_masked(plan):
    before = scores(plan, metrics=["ari", "n_clusters"])
    path = plan.layout.run("cells", "sctag", "truth", 0) / "clusters.parquet"
    table = pd.read_parquet(path)
    table.loc[:5, "cluster"] = np.arange(100, 106)
    io.write_parquet(path, table)
    after = scores(plan, metrics=["ari", "n_clusters"])
    value = before.set_index(["seed", "metric"])["value"]
    changed = after.set_index(["seed", "metric"])["value"]
    assert changed[0, "ari"] == value[0, "ari"]
    assert changed[0, "n_clusters"] == value[0, "n_clusters"] + 6


def test_the_order_of_rows_does_not_matter(plan):
    before = scores(plan)
    path = plan.layout.run("cells", "sctag", "truth", 0) / "clusters.parquet"
    io.write_parquet(path, pd.read_parquet(path)[::-1])
    pd.testing.assert_frame_equal(before, scores(plan))


@pytest.mark.parametrize("damage", ["missing", "twice", "unknown", "none", "truncated"])
def test_damaged_clusters_are_an_error(plan, damage):
    path = plan.layout.run("cells", "sctag", "truth", 0) / "clusters.parquet"
    table = pd.read_parquet(path)
    if damage == "missing":
        table = table.iloc[1:]
    if damage == "twice":
        table = pd.concat([table, table.iloc[:1]])
    if damage == "unknown":
        table = pd.concat([table, pd.DataFrame({"cell": ["x"], "cluster": [0]})])
    if damage == "none":
        table = table.assign(cluster=table["cluster"].where(table.index > 0))
    io.write_parquet(path, table)
    if damage == "truncated":
        path.write_bytes(path.read_bytes()[:100])
    with pytest.raises(BlindfoldError, match=r"clusters\.parquet"):
        scores(plan)
    assert not plan.layout.scores("cells", "sctag").exists()


def test_unlabelled_datasets_get_label_free_metrics_only(plan):
    truth = pd.read_parquet(plan.layout.truth("cells"))[["cell", "original"]]
    io.write_parquet(plan.layout.truth("cells"), truth)
    table = scores(plan)
    assert set(table[table["task"] != "cost"]["metric"]) == {"n_clusters"}
    markers = pd.read_parquet(plan.layout.markers("cells", "sctag"))
    assert set(markers["matched_class"]) == {""}
    assert len(markers)
    oracle(plan.layout, "cells", "all")
    assert pd.read_parquet(plan.layout.scores("cells", "oracle")).empty


def test_markers_name_clusters_and_classes(plan):
    scores(plan)
    table = pd.read_parquet(plan.layout.markers("cells", "sctag"))
    assert set(table["seed"]) == {0, 1}
    assert set(table["group"]) == set("01234")
    assert set(table["matched_class"]) == set(CLASSES)


def test_oracle_is_the_upper_bound(plan):
    oracle(plan.layout, "cells", "all")
    table = pd.read_parquet(plan.layout.scores("cells", "oracle")).set_index("metric")
    assert set(table["k"]) == {"truth"}
    assert "cost" not in set(table["task"])
    values = table["value"].drop(["n_clusters", "k_error"])
    assert values.to_numpy() == pytest.approx(np.ones(len(values)))
    assert table["value"]["n_clusters"] == len(CLASSES)
    assert table["value"]["k_error"] == 0
    markers = pd.read_parquet(plan.layout.markers("cells", "oracle"))
    assert set(markers["group"]) == set(CLASSES)


def test_same_input_same_bytes(plan):
    scores(plan)
    paths = [plan.layout.scores("cells", "sctag"), plan.layout.markers("cells", "sctag")]
    first = [path.read_bytes() for path in paths]
    shutil.rmtree(plan.layout.root / "scores")
    scores(plan)
    assert [path.read_bytes() for path in paths] == first


def test_input_of_other_cells_is_an_error(plan):
    data = io.read_h5ad(plan.layout.input("cells"))
    data[::-1].copy().write_h5ad(plan.layout.input("cells"))
    with pytest.raises(BlindfoldError, match="obs_names"):
        scores(plan)
    assert data.n_obs == CELLS


def test_unknown_metric_suggests_the_nearest():
    with pytest.raises(BlindfoldError, match="did you mean 'ari'"):
        choose_metrics(["arii"])
    names = [metric.name for metric in choose_metrics(["ari"])]
    assert "ari" in names
    assert "wall_s" in names
    assert "nmi" not in names


def test_every_metric_explains_itself():
    metrics = find_metrics()
    for metric in metrics.values():
        told = metric.explain()
        assert told["definition"]
        assert told["title"]
        assert told["metric"] == metric.function.__name__
    assert metrics["ari"].explain()["range"] == "-0.5 to 1"


def test_finding_metrics_imports_no_heavy_library():
    code = (
        "import sys; from blindfold.score.metric import find_metrics; find_metrics();"
        "print([m for m in ('scanpy', 'sklearn', 'scipy', 'pandas', 'torch') if m in sys.modules])"
    )
    out = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert out.stdout.strip() == "[]"


def test_nothing_is_normalised_where_no_run_ended_ok(plan, monkeypatch):
    monkeypatch.setattr("blindfold.score.score.read_expression", None)
    assert set(scores(plan, method="crasher")["status"]) == {"crash"}
    with pytest.raises(TypeError):
        scores(plan, method="sctag")
