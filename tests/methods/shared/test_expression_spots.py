"""Scaled expression of spots against scanpy."""

from __future__ import annotations

import numpy as np
import pytest
import scanpy as sc
import scipy.sparse as sp
from anndata import AnnData

from methods.shared.expression.spots import filtered_expression, scaled_log_expression
from tests.methods.toys import params, tissue


def test_filtered_expression_as_in_scanpy():
    """Genes in enough spots, seurat_v3, totals over chosen genes, no logarithm."""
    data, _ = tissue(20, genes=200)
    found = filtered_expression(data.counts, 250, 50)  # a fifth of 400 spots: 80
    adata = AnnData(data.counts.copy())
    sc.pp.filter_genes(adata, min_cells=80)
    sc.pp.highly_variable_genes(adata, n_top_genes=50, flavor="seurat_v3")
    adata = adata[:, adata.var["highly_variable"]].copy()
    sc.pp.normalize_total(adata, target_sum=1e4)
    sc.pp.scale(adata, zero_center=False, max_value=10)
    np.testing.assert_allclose(found.toarray(), adata.X.toarray(), rtol=1e-5)
    assert found.data.min() > 0
    assert found.nnz <= data.counts.nnz


def test_rare_genes_are_left_out():
    """The least number of spots, but up to a fifth of them, or half the commonest gene's."""
    counts = sp.csr_matrix(np.triu(np.ones((50, 50), dtype=np.float32)))
    assert filtered_expression(counts, 8, 100).shape == (50, 43)
    assert filtered_expression(counts, 100, 100).shape == (50, 41)
    assert filtered_expression(sp.csr_matrix(counts[:, :12]), 100, 100).shape == (50, 7)
    with pytest.raises(ValueError, match="counts"):
        filtered_expression(sp.csr_matrix((50, 3), dtype=np.float32), 1, 100)


def test_scaled_log_expression_is_not_centred_and_capped():
    """Log values over their deviation, not centred, at most 10, of the genes chosen."""
    counts = tissue(8)[0].counts
    features = scaled_log_expression(counts, 20)
    assert features.shape == (64, 20)
    assert features.max() <= 10
    assert features.min() >= 0
    assert params("graphcvae", "released").n_genes == 2000
