"""Principal components of sparse counts against dense linear algebra."""

from __future__ import annotations

import numpy as np
import scipy.sparse as sp

from methods.shared.expression.counts import log1p, zscores
from methods.shared.expression.pca import principal_components, standard_components


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
