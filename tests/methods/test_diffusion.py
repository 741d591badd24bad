"""Diffusion: its kernel by the definition, its walk as a power of a dense matrix."""

from __future__ import annotations

import numpy as np
import pytest
from scipy.spatial.distance import cdist

from methods.diffusion import model as diffusion
from methods.diffusion.column_file import ColumnFile
from methods.diffusion.kernel import alpha_decay
from methods.shared.expression import row_blocks
from methods.shared.expression.pca import standard_components
from methods.shared.expression.row_blocks import RowBlocks
from tests.methods.test_imputers import imputed
from tests.methods.toys import cells


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


def test_blocks_of_rows_and_of_columns():
    whole = np.random.default_rng(0).random((23, 10)).astype(np.float32)
    kept = ColumnFile(23)
    for start, stop in ((0, 4), (4, 5), (5, 10)):
        kept.append(whole[:, start:stop])
    made = list(RowBlocks(23, kept.rows, rows=5))
    assert [len(block) for block in made] == [5, 5, 5, 5, 3]
    np.testing.assert_array_equal(np.concatenate(made), whole)
