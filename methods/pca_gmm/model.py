"""Principal components and a Gaussian mixture with one shared covariance."""

from __future__ import annotations

from methods.contract import Data, Job, Params, Result
from methods.shared.clustering.assign import mixture_result
from methods.shared.expression.pca import standard_components


def fit(data: Data, params: Params, job: Job) -> Result:
    """Cluster cells by the mixture on the standard components."""
    components = standard_components(data.counts, params.n_genes, params.n_components)
    return mixture_result(components, job, params.k_rule, params.kmeans_starts)
