"""Principal components and k-means: the first thing anybody would try."""

from __future__ import annotations

from methods.contract import Data, Job, Params, Result
from methods.shared.clustering.assign import kmeans_result
from methods.shared.expression.pca import standard_components


def fit(data: Data, params: Params, job: Job) -> Result:
    """Cluster cells by k-means on the standard components."""
    components = standard_components(data.counts, params.n_genes, params.n_components)
    return kmeans_result(components, job, params.k_rule, params.n_starts)
