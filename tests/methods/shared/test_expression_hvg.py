"""Variable genes are those that scanpy chooses."""

from __future__ import annotations

import numpy as np
import pytest

from methods.shared.expression import hvg
from methods.shared.expression.counts import log1p, scale_to_total


@pytest.mark.parametrize("n_genes", [20, 100, 299, 300, 1000])
def test_seurat_genes_as_in_scanpy(counts, scanpy, n_genes):
    scaled, _ = scale_to_total(counts, 1e4)
    adata = scanpy.AnnData(log1p(scaled))
    adata.uns["log1p"] = {"base": None}
    scanpy.pp.highly_variable_genes(adata, n_top_genes=n_genes)
    chosen = hvg.seurat_genes(scaled, n_genes)
    if n_genes < counts.shape[1]:
        np.testing.assert_array_equal(chosen, np.flatnonzero(adata.var["highly_variable"]))
    else:
        assert len(chosen) == counts.shape[1]


@pytest.mark.parametrize("n_genes", [20, 150, 298])
def test_seurat_v3_genes_as_in_scanpy(counts, scanpy, n_genes):
    adata = scanpy.AnnData(counts.copy())
    scanpy.pp.highly_variable_genes(adata, n_top_genes=n_genes, flavor="seurat_v3")
    score = adata.var["variances_norm"].to_numpy()
    chosen = hvg.seurat_v3_genes(counts, n_genes)
    theirs = np.flatnonzero(adata.var["highly_variable"])
    # Genes of equal mean and variance tie, and scanpy's sort does not keep their order: the
    # scores must be the same, and so the genes wherever a score stands for one gene.
    np.testing.assert_allclose(np.sort(score[chosen]), np.sort(score[theirs]), rtol=1e-9)
    exchanged = score[np.setxor1d(chosen, theirs)]
    np.testing.assert_allclose(exchanged, score[chosen].min(), rtol=1e-9)
