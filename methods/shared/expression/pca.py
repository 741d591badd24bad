"""Principal components of sparse counts and of small dense tables, with one rule for signs."""

from __future__ import annotations

import numpy as np
import scipy.linalg
import scipy.sparse as sp

from methods.shared.expression.counts import log1p, scale_to_total, take_genes, zscores
from methods.shared.expression.hvg import seurat_genes

BLOCK_BYTES = 32 * 2**20


def with_positive_loadings(vectors: np.ndarray) -> np.ndarray:
    """Return eigenvectors, the columns, with the sign that makes their largest entry positive."""
    from sklearn.utils.extmath import svd_flip

    return np.asarray(svd_flip(None, vectors.T.copy(), u_based_decision=False)[1]).T


def principal_components(matrix: sp.csr_matrix, n_components: int) -> np.ndarray:
    """
    Project cells on the leading principal components; centring is implicit.

    Adding a constant row to `matrix` changes nothing, so a `Scaled` matrix is passed as its
    sparse part. Memory is genes^2 plus one block of dense rows.

    Parameters
    ----------
    matrix
        cells x genes, some thousand genes at most.
    n_components
        Components to keep; fewer where cells - 1 or genes are fewer.

    Returns
    -------
    Scores, cells x components, float64, largest variance first. The sign makes the largest
    loading of each component positive.
    """
    n, genes = matrix.shape
    n_components = max(min(n_components, n - 1, genes), 1)
    gram, total = np.zeros((genes, genes)), np.zeros(genes)
    rows = max(BLOCK_BYTES // (8 * genes), 1)
    for start in range(0, n, rows):
        block = matrix[start : start + rows].toarray().astype(np.float64)
        gram += block.T @ block
        total += block.sum(axis=0)
    mean = total / n
    gram -= n * np.outer(mean, mean)
    chosen = [genes - n_components, genes - 1]
    vectors = scipy.linalg.eigh(gram, subset_by_index=chosen)[1][:, ::-1]
    vectors = with_positive_loadings(vectors)
    return np.asarray(matrix @ vectors) - mean @ vectors


def compact_product(latent: np.ndarray, decoder: np.ndarray) -> np.ndarray:
    """
    Rotate ``latent @ decoder`` into as many dimensions as the latent has.

    With L L^T = W W^T (Cholesky), Y L has the distances between rows, and so the principal
    components, that Y W has, and is never wider than Y.

    Parameters
    ----------
    latent
        Y, cells x d.
    decoder
        W, d x genes.

    Returns
    -------
    Y L, cells x d, float64.
    """
    latent, decoder = latent.astype(np.float64), decoder.astype(np.float64)
    gram = decoder @ decoder.T
    gram[np.diag_indices_from(gram)] += 1e-12 * np.trace(gram) / len(gram)
    return np.asarray(latent @ np.linalg.cholesky(gram))


def standard_components(counts: sp.csr_matrix, n_genes: int, n_components: int) -> np.ndarray:
    """
    Reduce counts the usual way: 10,000 per cell, log1p, variable genes, z-scores up to 10, PCA.

    Parameters
    ----------
    counts
        Raw counts, cells x genes.
    n_genes
        Variable genes (default flavour of scanpy); all where there are fewer.
    n_components
        Principal components.

    Returns
    -------
    Scores, cells x components, float64.
    """
    scaled, _ = scale_to_total(counts, 1e4)
    logged = take_genes(log1p(scaled), seurat_genes(scaled, n_genes))
    return principal_components(zscores(logged, clip=10.0).sparse, n_components)


NEGLIGIBLE = 1e-7


def dense_components(rows: np.ndarray, n_components: int) -> np.ndarray:
    """
    Project rows on their leading principal components.

    Parameters
    ----------
    rows
        cells x d, finite, d some hundred at most.
    n_components
        Components to keep; fewer where d or the rank is less, but at least one.

    Returns
    -------
    Scores, cells x components, float64, largest variance first; the largest loading of each
    component is positive.
    """
    centred = np.asarray(rows, dtype=np.float64)
    centred = centred - centred.mean(axis=0)
    values, vectors = np.linalg.eigh(centred.T @ centred)
    values, vectors = values[::-1], vectors[:, ::-1]
    rank = int((values > NEGLIGIBLE**2 * max(values[0], 1e-300)).sum())
    count = max(min(n_components, rank), 1)
    return np.asarray(centred @ with_positive_loadings(vectors[:, :count]))
