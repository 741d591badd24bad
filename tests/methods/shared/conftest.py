"""What tests of expression share."""

from __future__ import annotations

import warnings

import numpy as np
import pytest
import scipy.sparse as sp


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
