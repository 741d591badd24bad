"""Leiden communities of one graph of neighbours in expression and in space."""

from __future__ import annotations

import scipy.sparse as sp

from methods.contract import Data, Job, Params, Result
from methods.shared.clustering.assign import leiden_result
from methods.shared.expression.pca import standard_components
from methods.shared.graphs.neighbors import spatial_knn
from methods.shared.graphs.weights import adjacency, fuzzy_graph, symmetrized


def joint_graph(
    expression: sp.csr_matrix, spatial: sp.csr_matrix, spatial_share: float
) -> sp.csr_matrix:
    """
    Add two graphs of the same spots.

    Parameters
    ----------
    expression, spatial
        Symmetric weights, spots x spots.
    spatial_share
        Share of all weight that spatial edges get, 0 to 1, whatever the scales of the graphs.

    Returns
    -------
    Symmetric weights, as much in all as those of `expression`.
    """
    total = spatial.sum()
    exchange = expression.sum() / total if total else 0.0
    joint = sp.csr_matrix((1 - spatial_share) * expression + spatial_share * exchange * spatial)
    joint.eliminate_zeros()
    return joint


def fit(data: Data, params: Params, job: Job) -> Result:
    """Cluster spots by Leiden on the joint graph."""
    coordinates = data.required_coordinates("the joint graph")
    components = standard_components(data.counts, params.n_genes, params.n_components)
    nearest = spatial_knn(coordinates, params.n_spatial, data.pitch)
    graph = joint_graph(
        fuzzy_graph(components, params.n_neighbors),
        symmetrized(adjacency(nearest)),
        params.spatial_share,
    )
    return leiden_result(graph, components, job, params.k_rule, params.resolution, params.budget)
