"""K-means with restarts, the best by inertia."""

from __future__ import annotations

import numpy as np

from methods.shared.training.seeding import seed_integer


def check_clusters(n_clusters: int, n_cells: int) -> None:
    """Refuse to split cells into more clusters than there are cells."""
    if not 1 <= n_clusters <= n_cells:
        raise ValueError(
            f"n_clusters: {n_clusters} clusters asked of {n_cells} cells; "
            f"ask for an integer from 1 to {n_cells}"
        )


def kmeans(
    features: np.ndarray, n_clusters: int, rng: np.random.Generator, n_starts: int = 20
) -> np.ndarray:
    """
    Cluster by Lloyd's algorithm from `n_starts` k-means++ starts.

    Parameters
    ----------
    features
        cells x d.
    n_clusters
        Clusters, at most cells. Fewer come back where fewer points are distinct.
    rng
        Source of the starts.
    n_starts
        Starts; the least inertia wins, the earlier on a tie.

    Returns
    -------
    Cluster of every cell, int64.
    """
    import warnings

    from sklearn.cluster import KMeans
    from sklearn.exceptions import ConvergenceWarning
    from threadpoolctl import threadpool_limits

    check_clusters(n_clusters, len(features))
    model = KMeans(n_clusters, n_init=n_starts, random_state=seed_integer(rng))
    # One OpenMP thread: partial sums of several are added in the order they finish.
    with threadpool_limits(1, user_api="openmp"), warnings.catch_warnings():
        warnings.simplefilter("ignore", ConvergenceWarning)
        labels = model.fit_predict(np.ascontiguousarray(features, dtype=np.float64))
    return labels.astype(np.int64)
