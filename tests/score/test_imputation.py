"""Metrics of imputation, by hand and against libraries, and how they find their entries."""

from __future__ import annotations

import anndata
import h5py
import numpy as np
import pandas as pd
import pytest
from scipy.spatial.distance import cosine as cosine_distance
from sklearn.metrics import mean_absolute_error, median_absolute_error, root_mean_squared_error

from blindfold.core import blocks, io
from blindfold.core.errors import BlindfoldError
from blindfold.score.metric import find_metrics
from blindfold.score.metrics.imputation import cosine, l1_mean, l1_median, rmse
from blindfold.score.oracle import oracle
from blindfold.score.score import score
from tests.score.synthetic import CELLS, GENES, hold_out, write_imputed

NAMES = {"l1_median", "l1_mean", "rmse", "cosine"}


def test_errors_by_hand():
    imputed, held = np.array([1.0, 2.0, 5.0]), np.array([2.0, 2.0, 1.0])
    assert l1_median(imputed, held) == 1
    assert l1_mean(imputed, held) == pytest.approx(5 / 3)
    assert rmse(imputed, held) == pytest.approx(np.sqrt(17 / 3))
    assert cosine(imputed, held) == pytest.approx(11 / np.sqrt(30 * 9))


def test_errors_agree_with_sklearn_and_scipy():
    rng = np.random.default_rng(0)
    imputed, held = rng.gamma(2, 1, 500), rng.gamma(2, 1, 500)
    assert l1_median(imputed, held) == pytest.approx(median_absolute_error(held, imputed))
    assert l1_mean(imputed, held) == pytest.approx(mean_absolute_error(held, imputed))
    assert rmse(imputed, held) == pytest.approx(root_mean_squared_error(held, imputed))
    assert cosine(imputed, held) == pytest.approx(1 - cosine_distance(imputed, held))


def test_cosine_of_a_constant_and_of_nothing():
    """A constant predictor gets mean(y) / sqrt(mean(y^2)), whatever the constant."""
    held = np.random.default_rng(1).gamma(2, 1, 300)
    for constant in (0.1, 7.0):
        expected = held.mean() / np.sqrt((held**2).mean())
        assert cosine(np.full(300, constant), held) == pytest.approx(expected)
    assert cosine(np.zeros(300), held) == 0


def test_lower_is_better_but_for_the_cosine():
    known = find_metrics()
    found = {name for name, metric in known.items() if metric.task == "imputation"}
    assert found == NAMES
    assert {known[name].direction for name in NAMES - {"cosine"}} == {"lower"}
    assert known["cosine"].direction == "higher"
    assert all(known[name].label_free for name in NAMES)


@pytest.fixture
def masked(plan):
    """Return a plan whose dataset ``cells`` is masked, and the table of its held-out entries."""
    return plan, hold_out(plan.layout, "cells")


def values(plan, method="pca_kmeans", seed=0):
    score(plan.layout, "cells", method, [("truth", seed)])
    table = pd.read_parquet(plan.layout.scores("cells", method))
    return table[table["task"] == "imputation"].set_index("metric")["value"]


@pytest.mark.parametrize("size", [GENES, 10**7])
def test_scores_are_taken_at_held_out_entries_on_the_log_scale(masked, monkeypatch, size):
    monkeypatch.setattr(blocks, "BLOCK", size)
    plan, table = masked
    dense = np.random.default_rng(2).gamma(1, 2, (CELLS, GENES)).astype(np.float32)
    write_imputed(plan.layout, "cells", "pca_kmeans", 0, dense)
    row = table["cell"].astype(str).str[1:].astype(int).to_numpy() - 1
    column = table["gene"].astype(str).str[4:].astype(int).to_numpy()
    guess, held = np.log1p(dense[row, column]), np.log1p(table["count"].to_numpy())
    found = values(plan)
    assert set(found.index) == NAMES
    assert found["l1_median"] == pytest.approx(median_absolute_error(held, guess), rel=1e-6)
    assert found["rmse"] == pytest.approx(root_mean_squared_error(held, guess), rel=1e-6)
    assert found["cosine"] == pytest.approx(1 - cosine_distance(guess, held), rel=1e-6)
    # whatever stands elsewhere is not looked at, nor is the order of the table
    elsewhere = np.full_like(dense, 99)
    elsewhere[row, column] = dense[row, column]
    write_imputed(plan.layout, "cells", "pca_kmeans", 0, elsewhere)
    io.write_parquet(plan.layout.held_out("cells"), table[::-1])
    pd.testing.assert_series_equal(values(plan), found)


def test_the_oracle_knows_every_entry(masked):
    plan, _ = masked
    oracle(plan.layout, "cells")
    found = pd.read_parquet(plan.layout.scores("cells", "oracle")).set_index("metric")["value"]
    assert found["rmse"] == found["l1_mean"] == found["l1_median"] == 0
    assert found["cosine"] == pytest.approx(1)


def test_only_masked_datasets_are_scored_so(plan):
    assert values(plan).empty


def test_a_failed_run_has_rows_without_a_value(masked):
    plan, _ = masked
    found = values(plan, "sctag", 2)
    assert set(found.index) == NAMES
    assert found.isna().all()


@pytest.mark.parametrize("damage", ["missing", "truncated", "shape"])
def test_a_damaged_answer_is_an_error(masked, damage):
    plan, _ = masked
    path = plan.layout.run("cells", "pca_kmeans", "truth", 0) / "imputed.h5ad"
    if damage != "missing":
        cells = CELLS - (damage == "shape")
        write_imputed(plan.layout, "cells", "pca_kmeans", 0, np.ones((cells, GENES)))
    if damage == "truncated":
        path.write_bytes(path.read_bytes()[:900])
    with pytest.raises(BlindfoldError, match=r"imputed\.h5ad"):
        values(plan)


@pytest.mark.parametrize("field", ["cell", "gene"])
def test_entries_of_another_input_are_an_error(masked, field):
    plan, table = masked
    strange = table.astype({field: str})
    strange.loc[3, field] = "nobody"
    io.write_parquet(plan.layout.held_out("cells"), strange)
    write_imputed(plan.layout, "cells", "pca_kmeans", 0, np.ones((CELLS, GENES)))
    with pytest.raises(BlindfoldError, match=f"a {field} is held out"):
        values(plan)


def test_the_helper_writes_what_anndata_reads(plan):
    write_imputed(plan.layout, "cells", "pca_kmeans", 0, np.ones((CELLS, GENES)))
    path = plan.layout.run("cells", "pca_kmeans", "truth", 0) / "imputed.h5ad"
    assert anndata.read_h5ad(path).shape == (CELLS, GENES)
    assert h5py.File(path)["X"].dtype == np.float32
