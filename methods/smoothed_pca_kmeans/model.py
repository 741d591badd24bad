"""Principal components averaged over neighbouring spots, then k-means."""

from __future__ import annotations

import numpy as np

from methods.contract import Data, Job, Params, Result
from methods.shared.graph import spatial_knn
from methods.shared.partition import kmeans_result
from methods.shared.pca import standard_components


def fit(data: Data, params: Params, job: Job) -> Result:
    """Average each spot's components with those of its nearest spots and cluster."""
    if data.coordinates is None:
        raise ValueError("coordinates: none given; smoothing runs on spatial data only")
    components = standard_components(data.counts, params.n_genes, params.n_components)
    nearest = spatial_knn(data.coordinates, params.n_neighbors, data.pitch)
    around = np.column_stack([np.arange(data.n_cells), nearest])
    smoothed = sum(components[column] for column in around.T) / around.shape[1]
    return kmeans_result(np.asarray(smoothed), job, params.k_rule, params.n_starts)
