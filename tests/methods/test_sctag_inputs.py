"""What scTAG sees, and what its decoder is to explain."""

from __future__ import annotations

import numpy as np

from methods.sctag.inputs import prepare, zinb_target
from methods.shared.expression.counts import log1p, scale_to_total
from tests.methods.toys import cells, params


def test_targets_of_the_two_variants():
    """Raw counts with size factors, or positive z-scores without."""
    data, _ = cells()
    inputs = prepare(data.counts, params("sctag"))
    counts = zinb_target(inputs, "counts", "cpu")
    assert counts.blocks[0].value.sum() == data.counts.sum()
    total = np.asarray(data.counts.sum(axis=1)).ravel()
    factors = (total / np.median(total)).astype(np.float32)
    np.testing.assert_allclose(counts.size_factors[:, 0], factors)
    scaled = zinb_target(inputs, "scaled", "cpu")
    dense = log1p(scale_to_total(data.counts, None)[0]).toarray().astype(float)
    dense = (dense - dense.mean(axis=0)) / dense.std(axis=0, ddof=1)
    expected = dense[(dense > 0) & (data.counts.toarray() > 0)]
    np.testing.assert_allclose(
        np.sort(scaled.blocks[0].value), np.sort(expected), rtol=1e-4, atol=1e-6
    )
    assert not ((dense > 0) & (data.counts.toarray() == 0)).any()
