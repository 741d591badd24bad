"""What choosing by the labels would have claimed, by hand."""

from __future__ import annotations

import pandas as pd
import pytest

from blindfold.compare.benchmark import read_benchmark
from blindfold.compare.tables import epochs, optimism
from blindfold.core import io
from blindfold.score.score import score
from tests.score.synthetic import make_scored

RUNS = [("truth", seed) for seed in range(3)]


@pytest.fixture(scope="module")
def benchmark(tmp_path_factory):
    """Return a benchmark in which two seeds of one method kept partitions.

    Seed 0 begins with the truth, ends with half of it lost and is best at epoch 4; seed 1 kept no
    start and gets better to its end.
    """
    with pytest.MonkeyPatch.context() as patch:
        plan = make_scored(tmp_path_factory.mktemp("o"), patch, methods=["pca_kmeans"])
        at = plan.layout
        truth = pd.read_parquet(at.truth("cells"))
        classes = truth["label"].astype("category").cat.codes.to_numpy()
        half, third = classes.copy(), classes.copy()
        half[::2], third[::3] = 0, 0
        for seed, parts in {0: {0: classes, 2: half, 4: third, 9: half},
                            1: {3: half, 9: third}}.items():  # fmt: skip
            folder = at.run("cells", "pca_kmeans", "truth", seed)
            tables = [truth[["cell"]].assign(epoch=e, cluster=part) for e, part in parts.items()]
            io.write_parquet(folder / "snapshots.parquet", pd.concat(tables))
            io.write_parquet(folder / "clusters.parquet", tables[-1].drop(columns="epoch"))
        score(at, "cells", "pca_kmeans", RUNS)
        yield read_benchmark(at)


def ari(benchmark, seed, epoch):
    table = epochs.build(benchmark).query("metric == 'ari'").set_index(["seed", "epoch"])
    return table.loc[(seed, epoch), "value"]


def test_start_last_and_best_epoch_are_told_apart(benchmark):
    runs = optimism.best_epochs(benchmark).set_index("seed")
    assert list(runs.index) == [0, 1]
    assert runs.loc[0, "start_ari"] == 1
    assert pd.isna(runs.loc[1, "start_ari"])
    assert runs["best_epoch"].tolist() == [4, 9]
    assert runs["epochs"].tolist() == [9, 9]
    assert runs["kept"].tolist() == [3, 2]
    assert runs.loc[0, "best_epoch_ari"] == ari(benchmark, 0, 4)
    assert runs.loc[0, "ari"] == pytest.approx(ari(benchmark, 0, 9))
    assert runs.loc[1, "ari"] == runs.loc[1, "best_epoch_ari"]


def test_means_and_gaps(benchmark):
    (row,) = optimism.build(benchmark).to_dict("records")
    last, best = ari(benchmark, 0, 9), ari(benchmark, 0, 4)
    assert (row["dataset"], row["method"], row["n"], row["kept"]) == ("cells", "pca_kmeans", 2, 2.5)
    assert row["start"] == 1
    assert row["blind"] == pytest.approx((last + best) / 2)
    assert row["best_epoch"] == row["best_seed"] == row["best_both"] == pytest.approx(best)
    assert row["largest_gap"] == pytest.approx(best - last)
    assert row["gap"] == pytest.approx((best - last) / 2)


def test_nothing_kept_is_an_empty_table(scored):
    made = read_benchmark(scored.layout)
    assert optimism.build(made).empty
    assert list(optimism.build(made)) == list(optimism.COLUMNS)
