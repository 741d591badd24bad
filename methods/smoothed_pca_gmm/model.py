"""Principal components averaged over neighbouring spots, then a Gaussian mixture."""

from __future__ import annotations

from methods.contract import Data, Job, Params, Result
from methods.shared.clustering.assign import mixture_result
from methods.shared.expression.smoothing import smoothed_components


def fit(data: Data, params: Params, job: Job) -> Result:
    """Cluster spots by the mixture on the smoothed components."""
    smoothed = smoothed_components(data, params.n_genes, params.n_components, params.n_neighbors)
    return mixture_result(smoothed, job, params.k_rule, params.kmeans_starts)
