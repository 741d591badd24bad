"""What every imputing method must do, and the baselines by their definitions."""

from __future__ import annotations

import numpy as np
import pytest
import scipy.sparse as sp
from scipy.spatial.distance import cdist

from methods.contract import Data, Job
from methods.shared.expression.pca import standard_components
from tests.methods.toys import NAMES, SHORT, card, cells, run

IMPUTERS = [name for name in NAMES if "imputation" in card(name)["tasks"]]


JOB = Job(0, 3, impute=True)


def imputed(name: str, data: Data, **changes: object) -> np.ndarray:
    return np.concatenate(list(run(name, data, JOB, **{**SHORT, **changes}).imputed))


def test_gene_mean_is_the_mean_of_logarithms():
    data, _ = cells()
    expected = np.log1p(data.counts.toarray()).mean(axis=0)
    np.testing.assert_allclose(np.log1p(imputed("gene_mean", data)),
                               np.tile(expected, (90, 1)), rtol=1e-6)  # fmt: skip


def test_neighbour_mean_leaves_the_cell_itself_out():
    data, _ = cells()
    components = standard_components(data.counts, 2000, 30)
    distance = cdist(components, components)
    np.fill_diagonal(distance, np.inf)
    nearest = distance.argsort(axis=1)[:, :7]
    expected = np.log1p(data.counts.toarray())[nearest].mean(axis=1)
    found = np.log1p(imputed("neighbour_mean", data, n_neighbors=7))
    np.testing.assert_allclose(found, expected, rtol=1e-5, atol=1e-6)


@pytest.mark.parametrize("name", IMPUTERS)
def test_imputed_only_where_asked_for_and_clusters_stay_the_same(name):
    data, _ = cells()
    plain = run(name, data, Job(0, 3), **SHORT)
    assert plain.imputed is None
    asked = run(name, data, JOB, **SHORT)
    np.testing.assert_array_equal(plain.clusters, asked.clusters)
    values = np.concatenate(list(asked.imputed))
    assert values.shape == data.counts.shape
    assert np.isfinite(values).all()
    assert values.min() >= 0
    again = np.concatenate(list(asked.imputed))
    np.testing.assert_array_equal(values, again)


@pytest.mark.parametrize("name", IMPUTERS)
def test_imputed_counts_are_on_the_scale_of_counts(name):
    """All counts times ten: so are the imputed ones, roughly; logarithms would 2.5 fold."""
    data, _ = cells()
    tenfold = Data(data.counts * 10, data.genes)
    longer = {"epochs": 60, "cluster_epochs": 60}
    ratio = imputed(name, tenfold, **longer).mean() / imputed(name, data, **longer).mean()
    assert 4 < ratio < 20


@pytest.mark.parametrize("name", ["neighbour_mean", "diffusion"])
def test_graphs_beat_the_gene_mean_on_planted_groups(name):
    data, _ = cells(200, 60)
    original = data.counts.toarray()
    held = (original > 0) & (np.random.default_rng(0).random(original.shape) < 0.1)
    counts = sp.csr_matrix(np.where(held, 0, original).astype(np.float32))
    error = {
        each: np.abs(np.log1p(imputed(each, Data(counts, data.genes))) - np.log1p(original))[held]
        for each in ("gene_mean", name)
    }
    assert error[name].mean() < error["gene_mean"].mean()
