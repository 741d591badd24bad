"""Sparse preprocessing against scanpy and dense linear algebra."""

from __future__ import annotations

import warnings

import numpy as np
import pytest
import scipy.sparse as sp

from methods.shared.expression import hvg
from methods.shared.expression.counts import (
    gene_moments,
    log1p,
    scale_to_total,
    unit_variance,
    zscores,
)
from methods.shared.expression.pca import principal_components, standard_components


@pytest.fixture(scope="module")
def counts() -> sp.csr_matrix:
    rng = np.random.default_rng(0)
    mean = rng.gamma(0.4, 1.0, 300) * rng.gamma(2.0, 0.5, (120, 1))
    dense = rng.negative_binomial(1.5, 1.5 / (1.5 + mean))
    dense[:, 7] = 0
    dense[5] = 0
    return sp.csr_matrix(dense.astype(np.float32))


@pytest.fixture(scope="module")
def scanpy():
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        import scanpy

        return scanpy


def to_anndata(scanpy, matrix):
    return scanpy.AnnData(matrix.copy())


@pytest.mark.parametrize("n_genes", [20, 100, 299, 300, 1000])
def test_seurat_genes_as_in_scanpy(counts, scanpy, n_genes):
    scaled, _ = scale_to_total(counts, 1e4)
    adata = to_anndata(scanpy, log1p(scaled))
    adata.uns["log1p"] = {"base": None}
    scanpy.pp.highly_variable_genes(adata, n_top_genes=n_genes)
    chosen = hvg.seurat_genes(scaled, n_genes)
    if n_genes < counts.shape[1]:
        np.testing.assert_array_equal(chosen, np.flatnonzero(adata.var["highly_variable"]))
    else:
        assert len(chosen) == counts.shape[1]


@pytest.mark.parametrize("n_genes", [20, 150, 298])
def test_seurat_v3_genes_as_in_scanpy(counts, scanpy, n_genes):
    adata = to_anndata(scanpy, counts)
    scanpy.pp.highly_variable_genes(adata, n_top_genes=n_genes, flavor="seurat_v3")
    score = adata.var["variances_norm"].to_numpy()
    chosen = hvg.seurat_v3_genes(counts, n_genes)
    theirs = np.flatnonzero(adata.var["highly_variable"])
    # Genes of equal mean and variance tie, and scanpy's sort does not keep their order: the
    # scores must be the same, and so the genes wherever a score stands for one gene.
    np.testing.assert_allclose(np.sort(score[chosen]), np.sort(score[theirs]), rtol=1e-9)
    exchanged = score[np.setxor1d(chosen, theirs)]
    np.testing.assert_allclose(exchanged, score[chosen].min(), rtol=1e-9)


def test_totals_as_in_scanpy_and_empty_cells_stay_empty(counts, scanpy):
    filled = counts[np.flatnonzero(counts.getnnz(axis=1))]
    for target in (1e4, None):
        adata = to_anndata(scanpy, filled)
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
    adata = to_anndata(scanpy, log1p(counts))
    scanpy.pp.scale(adata, zero_center=False, max_value=3.0)
    ours = unit_variance(log1p(counts), 3.0).toarray()
    np.testing.assert_allclose(ours, adata.X.toarray(), rtol=1e-5)


def test_moments(counts):
    mean, variance = gene_moments(counts)
    dense = counts.toarray().astype(float)
    np.testing.assert_allclose(mean, dense.mean(axis=0))
    np.testing.assert_allclose(variance, dense.var(axis=0, ddof=1), atol=1e-12)


def test_components_are_those_of_the_dense_matrix(counts, monkeypatch):
    """Blocked = dense; the constant row added by standardisation plays no part."""
    scaled = zscores(log1p(counts), 10.0)
    dense = scaled.sparse.toarray().astype(float)
    dense -= dense.mean(axis=0)
    u, s, _ = np.linalg.svd(dense, full_matrices=False)
    whole = principal_components(scaled.sparse, 6)
    np.testing.assert_allclose(np.abs(whole), np.abs(u * s)[:, :6], rtol=1e-5, atol=1e-6)
    monkeypatch.setattr("methods.shared.expression.pca.BLOCK_BYTES", 8 * counts.shape[1] * 7)
    np.testing.assert_allclose(principal_components(scaled.sparse, 6), whole, atol=1e-8)


def test_components_clamp_to_what_exists(counts):
    assert standard_components(counts[:9], 2000, 30).shape == (9, 8)
    assert standard_components(counts[:, :4], 2000, 30).shape == (120, 4)
    empty = sp.csr_matrix((6, 3), dtype=np.float32)
    assert np.isfinite(standard_components(empty, 2000, 30)).all()
