"""Principal components of sparse counts against dense linear algebra."""

from __future__ import annotations

import numpy as np
import scipy.sparse as sp

from methods.shared.expression.counts import log1p, zscores
from methods.shared.expression.pca import (
    compact_product,
    dense_components,
    principal_components,
    standard_components,
    with_positive_loadings,
)
from tests.methods.toys import rng


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


def test_the_largest_loading_of_every_component_is_positive():
    """Whatever sign the eigenvectors come with."""
    vectors = rng().normal(size=(9, 5))
    found = with_positive_loadings(vectors)
    np.testing.assert_array_equal(np.abs(found), np.abs(vectors))
    np.testing.assert_array_equal(found, with_positive_loadings(-vectors))
    assert (found[np.abs(found).argmax(axis=0), np.arange(5)] > 0).all()


def test_a_compact_product_keeps_distances_and_components():
    """Y L stands for Y W, though it has as few columns as Y."""
    latent = rng().normal(size=(30, 4)).astype(np.float32)
    decoder = rng(1).normal(size=(4, 50)).astype(np.float32)
    made, compact = latent.astype(float) @ decoder, compact_product(latent, decoder)
    assert compact.shape == (30, 4)
    np.testing.assert_allclose(compact @ compact.T, made @ made.T, atol=1e-6)
    ours, theirs = (dense_components(rows, 3) for rows in (compact, made))
    np.testing.assert_allclose(np.abs(ours), np.abs(theirs), atol=1e-6)
