"""BANKSY: Leiden on expression augmented by its neighbourhood's mean and gradient.

Singhal et al., Nature Genetics 56, 431 (2024), doi 10.1038/s41588-024-01664-3.
"""

from __future__ import annotations

import numpy as np

from methods.contract import Data, Job, Params, Result
from methods.shared.clustering.assign import kmeans_result, leiden_result
from methods.shared.expression.counts import scale_to_total, take_genes
from methods.shared.expression.hvg import seurat_genes
from methods.shared.graphs.weights import fuzzy_graph
from methods.shared.training.seeding import random_stream

from .block_pca import block_components
from .neighbourhood import Augmented, kernels


def augment(data: Data, n_genes: int, k_geom: int, mixing: float) -> Augmented:
    """Scale spots to equal totals, without a logarithm, and set neighbourhoods beside them."""
    coordinates = data.required_coordinates("BANKSY")
    scaled, _ = scale_to_total(data.counts, None)
    expression = take_genes(scaled, seurat_genes(scaled, n_genes)).astype(np.float64)
    mean, gradient = kernels(coordinates, k_geom, data.pitch)
    return Augmented(expression, mean, gradient, mixing)


def fit(data: Data, params: Params, job: Job) -> Result:
    """Reduce the augmented expression and cluster it."""
    augmented = augment(data, params.n_genes, params.k_geom, params.mixing)
    count = max(min(params.n_components, data.n_cells - 1), 1)
    components = block_components(
        augmented.blocks, augmented.n_columns, count, random_stream(job.seed, "start")
    )
    if params.head == "kmeans":
        return kmeans_result(components, job, params.k_rule, params.n_starts)
    graph = fuzzy_graph(components, min(params.n_neighbors, data.n_cells))
    return leiden_result(graph, components, job, params.k_rule, budget=params.budget)
