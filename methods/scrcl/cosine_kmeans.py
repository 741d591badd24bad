"""K-means by cosine distance as the authors start and iterate it."""

from __future__ import annotations

import numpy as np

from methods.shared.clustering.kmeans import check_clusters
from methods.shared.graphs.neighbors import unit_rows

DRAWS = 20
ITERATIONS = 500
TOLERANCE = 1e-4


def central_start(features: np.ndarray, n_clusters: int, rng: np.random.Generator) -> np.ndarray:
    """Draw sets of cells and keep the one nearest to all cells in total: central, not spread."""
    total = unit_rows(features).sum(axis=0)
    draws = [rng.choice(len(features), n_clusters, replace=False) for _ in range(DRAWS)]
    nearness = [(unit_rows(features[draw]) @ total).sum() for draw in draws]
    return features[draws[int(np.argmax(nearness))]]


def cosine_kmeans(features: np.ndarray, n_clusters: int, rng: np.random.Generator) -> np.ndarray:
    """
    Cluster by Lloyd's algorithm with cosine distance and plain means, from one start.

    Parameters
    ----------
    features
        cells x d.
    n_clusters
        Clusters, at most cells. One left empty restarts at the cell farthest from its centre.
    rng
        Source of the start.

    Returns
    -------
    Cluster of every cell, int64.
    """
    check_clusters(n_clusters, len(features))
    features = np.asarray(features, dtype=np.float64)
    unit = unit_rows(features)
    centres = central_start(features, n_clusters, rng)
    labels = np.zeros(len(features), dtype=np.int64)
    for _ in range(ITERATIONS):
        similarity = unit @ unit_rows(centres).T
        labels = similarity.argmax(axis=1)
        means = np.zeros_like(centres)
        np.add.at(means, labels, features)
        size = np.bincount(labels, minlength=n_clusters)
        means /= np.maximum(size, 1)[:, None]
        farthest = np.argsort(similarity.max(axis=1), kind="stable")
        empty = np.flatnonzero(size == 0)
        means[empty] = features[farthest[: empty.size]]
        shift = np.linalg.norm(means - centres, axis=1).sum()
        centres = means
        if shift**2 < TOLERANCE:
            break
    return labels
