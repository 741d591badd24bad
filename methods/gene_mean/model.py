"""Every cell gets the gene's mean: what imputation has to beat."""

from __future__ import annotations

import numpy as np

from methods.contract import Data, Job, Params, Result
from methods.shared.clustering.assign import kmeans_result
from methods.shared.expression.counts import log1p
from methods.shared.expression.pca import standard_components
from methods.shared.expression.row_blocks import RowBlocks


def fit(data: Data, params: Params, job: Job) -> Result:
    """Average log(1 + count) over all cells; cluster the components of the counts."""
    components = standard_components(data.counts, params.n_genes, params.n_components)
    result = kmeans_result(components, job, params.k_rule, params.n_starts)
    if job.impute:
        mean = np.asarray(log1p(data.counts).mean(axis=0, dtype=np.float64))
        imputed = np.expm1(mean).reshape(1, -1)
        result.imputed = RowBlocks(
            data.n_cells, lambda rows: np.repeat(imputed, rows.stop - rows.start, axis=0)
        )
    return result
