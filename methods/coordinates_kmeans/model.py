"""K-means on positions: the score of tissue geometry alone."""

from __future__ import annotations

from methods.contract import Data, Job, Params, Result
from methods.shared.clustering.assign import kmeans_result


def fit(data: Data, params: Params, job: Job) -> Result:
    """Cluster spots by position."""
    coordinates = data.required_coordinates("this control")
    return kmeans_result(coordinates, job, params.k_rule, params.n_starts)
