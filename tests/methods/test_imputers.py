"""The baselines of imputation against dense references, and what is written of an answer."""

from __future__ import annotations

import anndata
import numpy as np
import pytest
import scipy.sparse as sp
from scipy.spatial.distance import cdist

from methods.contract import Data, InvalidOutput, Job
from methods.diffusion import model as diffusion
from methods.diffusion.column_file import ColumnFile
from methods.diffusion.kernel import alpha_decay
from methods.imputed import write_imputed
from methods.shared.expression import row_blocks
from methods.shared.expression.pca import standard_components
from methods.shared.expression.row_blocks import RowBlocks
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


def dense_walk(features: np.ndarray, n_neighbors: int, decay: float) -> np.ndarray:
    """Return the kernel of van Dijk et al. (2018), by the definition."""
    distance = cdist(features, features)
    order = distance.argsort(axis=1, kind="stable")
    width = np.take_along_axis(distance, order, axis=1)[:, n_neighbors]
    affinity = np.exp(-((distance / width[:, None]) ** decay))
    far = order[:, 3 * n_neighbors + 1 :]
    np.put_along_axis(affinity, far, 0, axis=1)
    affinity[affinity < 1e-4] = 0
    kernel = affinity + affinity.T
    return kernel / kernel.sum(axis=1, keepdims=True)


@pytest.mark.parametrize(("n_neighbors", "decay"), [(5, 1.0), (3, 2.0), (8, 15.0)])
def test_the_kernel_is_that_of_the_paper(n_neighbors, decay):
    features = np.random.default_rng(0).normal(size=(70, 4))
    walk = alpha_decay(features, n_neighbors, decay)
    np.testing.assert_allclose(walk.toarray(), dense_walk(features, n_neighbors, decay), atol=1e-6)
    assert walk.nnz <= 70 * (6 * n_neighbors + 1)


def test_diffusion_is_a_power_of_the_walk_at_each_cells_own_depth(monkeypatch):
    monkeypatch.setattr(diffusion, "COLUMNS", 7)
    monkeypatch.setattr(row_blocks, "ROWS", 11)
    data, _ = cells()
    counts = data.counts.toarray().astype(float)
    factor = counts.sum(axis=1) / np.median(counts.sum(axis=1))
    logged = np.log1p(counts / factor[:, None])
    power = np.linalg.matrix_power(
        dense_walk(standard_components(data.counts, 2000, 100), 5, 1.0), 3
    )
    expected = np.expm1(power @ logged) * factor[:, None]
    np.testing.assert_allclose(imputed("diffusion", data), expected, rtol=1e-4, atol=1e-5)


def test_duplicate_cells_and_hardly_any():
    walk = alpha_decay(np.zeros((9, 2)), 5, 1.0)
    np.testing.assert_allclose(walk.sum(axis=1), 1, rtol=1e-6)
    assert alpha_decay(np.zeros((1, 2)), 5, 1.0).toarray() == [[1]]
    assert alpha_decay(np.arange(4.0).reshape(2, 2), 5, 1.0).shape == (2, 2)


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


def test_blocks_of_rows_and_of_columns():
    whole = np.random.default_rng(0).random((23, 10)).astype(np.float32)
    kept = ColumnFile(23)
    for start, stop in ((0, 4), (4, 5), (5, 10)):
        kept.append(whole[:, start:stop])
    made = list(RowBlocks(23, kept.rows, rows=5))
    assert [len(block) for block in made] == [5, 5, 5, 5, 3]
    np.testing.assert_array_equal(np.concatenate(made), whole)


@pytest.mark.parametrize("blocked", [False, True])
def test_what_is_written_is_what_anndata_reads(tmp_path, blocked):
    whole = np.random.default_rng(0).random((23, 10)).astype(np.float32)
    given = RowBlocks(23, lambda rows: whole[rows], rows=5) if blocked else whole
    names = [f"c{i}" for i in range(23)], [f"g{i}" for i in range(10)]
    assert write_imputed(given, *names, tmp_path / "imputed.h5ad") >= 0
    found = anndata.read_h5ad(tmp_path / "imputed.h5ad")
    np.testing.assert_array_equal(found.X, whole)
    assert (list(found.obs_names), list(found.var_names)) == names


@pytest.mark.parametrize(
    ("given", "words"),
    [
        (None, "held out to be imputed"),
        (np.ones((4, 3)), "4 rows, expected 5"),
        (np.ones((6, 3)), "block of shape"),
        (np.ones((5, 2)), "block of shape"),
        (np.ones(5), "block of shape"),
        ([np.ones((3, 3)), np.ones((3, 3))], "at row 3"),
        (np.full((5, 3), np.nan), "NaN"),
        (np.full((5, 3), -0.1), "negative"),
        (np.full((5, 3), np.inf), "infinite"),
    ],
)
def test_a_partial_or_impossible_answer_is_invalid(tmp_path, given, words):
    with pytest.raises(InvalidOutput, match=words):
        write_imputed(given, list("abcde"), list("xyz"), tmp_path / "imputed.h5ad")
