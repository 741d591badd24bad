"""Components of image features."""

from __future__ import annotations

import numpy as np
import pytest

from methods.shared.expression.pca import dense_components
from methods.shared.image.spots import image_feature_components


def test_components_are_centred_and_ordered():
    rng = np.random.default_rng(0)
    rows = rng.normal(size=(40, 4)) @ rng.normal(size=(4, 90))
    scores = image_feature_components(np.column_stack([rows, np.ones(40)]), 50)
    assert scores.shape == (40, 4)
    np.testing.assert_allclose(scores.mean(axis=0), 0, atol=1e-9)
    assert (np.diff(scores.var(axis=0)) <= 0).all()
    with pytest.raises(ValueError, match="no row is finite"):
        image_feature_components(np.full((3, 2), np.nan), 2)
    assert dense_components(np.ones((5, 3)), 2).shape == (5, 1)
