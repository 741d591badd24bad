"""scGNN's isolation forest against scikit-learn's."""

from __future__ import annotations

import numpy as np
from sklearn.ensemble import IsolationForest

from methods.scgnn.isolation_forest import expected_path, isolated, mean_paths
from methods.shared.training.seeding import random_stream
from tests.methods.test_scgnn_cell_graph import latent


def test_forest_isolates_like_scikit_learn():
    """Mean path lengths against an IsolationForest on the same points."""
    points = latent(4 * 11, 20).reshape(4, 11, 20).astype(float)
    points[:, 10] += 4
    ours = mean_paths(points, random_stream(0, "forest"))
    for cell in range(4):
        forest = IsolationForest(n_estimators=300, random_state=0).fit(points[cell])
        score = -forest.score_samples(points[cell])
        np.testing.assert_allclose(2 ** -(ours[cell] / expected_path(11)), score, atol=0.04)


def test_forest_marks_outliers_and_bears_constant_features():
    features = np.zeros((12, 8))
    features[:, 0] = np.append(np.arange(11) * 0.1, 50.0)
    neighbours = np.array([[j for j in range(12) if j != i] for i in range(12)])
    far = isolated(features, neighbours, random_stream(0, "forest"))
    assert far[:11, 10].all()
    assert far[:11, :10].mean() < 0.5
    assert not isolated(np.ones((12, 3)), neighbours, random_stream(0, "forest")).any()
