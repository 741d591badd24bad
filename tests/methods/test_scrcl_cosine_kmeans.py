"""scRCL's k-means by cosine from one start."""

from __future__ import annotations

import numpy as np
from sklearn.metrics import adjusted_rand_score

from methods.scrcl.cosine_kmeans import central_start, cosine_kmeans


def test_start_of_the_single_kmeans_is_the_most_central_draw():
    """Of 20 draws, the least total cosine distance between all cells and all rows."""
    rows = np.random.default_rng(0).normal(size=(40, 5))
    found = central_start(rows, 3, np.random.default_rng(4))
    rng = np.random.default_rng(4)
    unit = rows / np.linalg.norm(rows, axis=1, keepdims=True)
    draws = [rng.choice(40, 3, replace=False) for _ in range(20)]
    costs = [(1 - unit @ unit[draw].T).sum() for draw in draws]
    np.testing.assert_array_equal(found, rows[draws[int(np.argmin(costs))]])


def test_single_kmeans_finds_directions_and_fills_empty_clusters():
    """No cluster stays empty while other points are distinct."""
    rng = np.random.default_rng(0)
    truth = np.repeat(np.arange(3), 40)
    rows = np.eye(3)[truth] * rng.uniform(0.5, 3, (120, 1)) + rng.normal(0, 0.05, (120, 3))
    best = max(
        adjusted_rand_score(truth, cosine_kmeans(rows, 3, np.random.default_rng(s)))
        for s in range(5)
    )
    assert best == 1
    doubled = np.repeat(np.eye(4), 10, axis=0)
    for seed in range(5):
        labels = cosine_kmeans(doubled, 4, np.random.default_rng(seed))
        assert len(np.unique(labels)) == 4
