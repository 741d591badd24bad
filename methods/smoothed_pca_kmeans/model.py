"""Principal components averaged over neighbouring spots, then k-means."""

from __future__ import annotations

from methods.contract import Data, Job, Params, Result
from methods.shared.clustering.assign import kmeans_result
from methods.shared.expression.smoothing import smoothed_components


def fit(data: Data, params: Params, job: Job) -> Result:
    """Cluster spots by k-means on the smoothed components."""
    smoothed = smoothed_components(data, params.n_genes, params.n_components, params.n_neighbors)
    return kmeans_result(smoothed, job, params.k_rule, params.n_starts)
