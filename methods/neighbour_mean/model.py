"""Every cell gets the mean of its nearest neighbours: what a graph has to beat."""

from __future__ import annotations

import numpy as np
import scipy.sparse as sp

from methods.contract import Data, Job, Params, Result
from methods.shared.clustering.assign import kmeans_result
from methods.shared.expression.counts import log1p
from methods.shared.expression.pca import standard_components
from methods.shared.expression.row_blocks import RowBlocks
from methods.shared.graphs.neighbors import feature_knn
from methods.shared.graphs.weights import adjacency, row_normalized


def fit(data: Data, params: Params, job: Job) -> Result:
    """Average log(1 + count), and the components to cluster, over each cell's neighbours."""
    components = standard_components(data.counts, params.n_genes, params.n_components)
    if data.n_cells < 2:
        raise ValueError("counts: one cell has no neighbour; give at least two")
    neighbours, _ = feature_knn(components, params.n_neighbors)
    around = row_normalized(adjacency(neighbours))
    result = kmeans_result(around @ components, job, params.k_rule, params.n_starts)
    if job.impute:
        logged = log1p(data.counts)

        def rows(chosen: slice) -> np.ndarray:
            return np.expm1(sp.csr_matrix(around[chosen] @ logged).toarray())

        result.imputed = RowBlocks(data.n_cells, rows)
    return result
