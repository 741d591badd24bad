"""Totals, logarithms, z-scores and moments of sparse counts against scanpy and dense arrays."""

from __future__ import annotations

import numpy as np
import pytest

from methods.shared.expression.counts import (
    gene_moments,
    log1p,
    scale_to_total,
    unit_variance,
    zscores,
)


def test_totals_as_in_scanpy_and_empty_cells_stay_empty(counts, scanpy):
    filled = counts[np.flatnonzero(counts.getnnz(axis=1))]
    for target in (1e4, None):
        adata = scanpy.AnnData(filled.copy())
        scanpy.pp.normalize_total(adata, target_sum=target)
        np.testing.assert_allclose(
            scale_to_total(filled, target)[0].toarray(), adata.X.toarray(), rtol=1e-5
        )
        scaled, factor = scale_to_total(counts, target)
        assert factor[5] == 1.0
        assert scaled[5].nnz == 0


@pytest.mark.parametrize("clip", [None, 10.0, 1.5, 0.2])
def test_zscore_is_sparse_plus_offset_exactly(counts, clip):
    """The clipped z-scores of the dense matrix, though only non-zeros are stored."""
    logged = log1p(counts)
    dense = logged.toarray().astype(float)
    deviation = dense.std(axis=0, ddof=1)
    expected = (dense - dense.mean(axis=0)) / np.where(deviation > 0, deviation, 1)
    if clip is not None:
        expected = np.clip(expected, -clip, clip)
    scaled = zscores(logged, clip)
    np.testing.assert_allclose(scaled.sparse.toarray() + scaled.offset, expected, atol=2e-6)
    assert scaled.sparse.nnz == logged.nnz


def test_unit_deviation_as_in_scanpy(counts, scanpy):
    adata = scanpy.AnnData(log1p(counts))
    scanpy.pp.scale(adata, zero_center=False, max_value=3.0)
    ours = unit_variance(log1p(counts), 3.0).toarray()
    np.testing.assert_allclose(ours, adata.X.toarray(), rtol=1e-5)


def test_moments_are_those_of_the_dense_matrix(counts):
    mean, variance = gene_moments(counts)
    dense = counts.toarray().astype(float)
    np.testing.assert_allclose(mean, dense.mean(axis=0))
    np.testing.assert_allclose(variance, dense.var(axis=0, ddof=1), atol=1e-12)
