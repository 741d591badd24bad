"""Principal components and Leiden communities of the neighbour graph."""

from __future__ import annotations

from methods.contract import Data, Job, Params, Result
from methods.shared.clustering.assign import leiden_result
from methods.shared.expression.pca import standard_components
from methods.shared.graphs.weights import fuzzy_graph


def fit(data: Data, params: Params, job: Job) -> Result:
    """Cluster cells by Leiden on the neighbour graph of the standard components."""
    components = standard_components(data.counts, params.n_genes, params.n_components)
    graph = fuzzy_graph(components, params.n_neighbors)
    return leiden_result(graph, components, job, params.k_rule, params.resolution, params.budget)
