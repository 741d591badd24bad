"""Diffusion of expression over a graph of cells, after MAGIC.

van Dijk et al., Cell 174, 716 (2018), doi 10.1016/j.cell.2018.05.061.
"""

from __future__ import annotations

import numpy as np
import scipy.sparse as sp

from methods.contract import Data, Job, Params, Result
from methods.shared.clustering.assign import kmeans_result
from methods.shared.expression.counts import log1p, scale_to_total
from methods.shared.expression.pca import standard_components
from methods.shared.expression.row_blocks import RowBlocks

from .column_file import ColumnFile
from .kernel import alpha_decay

COLUMNS = 128  # genes diffused at a time


def diffuse(walk: sp.csr_matrix, values: np.ndarray, steps: int) -> np.ndarray:
    """Multiply by the power of a Markov matrix, one sparse product a step."""
    for _ in range(steps):
        values = walk @ values
    return values


def imputed_counts(counts: sp.csr_matrix, walk: sp.csr_matrix, steps: int) -> RowBlocks:
    """
    Diffuse log(1 + count scaled to the median total) and return to each cell's own total.

    Genes are diffused block by block and kept in a temporary file.
    """
    scaled, factor = scale_to_total(counts, None)
    logged = sp.csc_matrix(log1p(scaled))
    kept = ColumnFile(counts.shape[0])
    for start in range(0, counts.shape[1], COLUMNS):
        kept.append(diffuse(walk, logged[:, start : start + COLUMNS].toarray(), steps))
    return RowBlocks(counts.shape[0], lambda rows: np.expm1(kept.rows(rows)) * factor[rows, None])


def fit(data: Data, params: Params, job: Job) -> Result:
    """Diffuse the counts, and the components to cluster, over the graph of cells."""
    components = standard_components(data.counts, params.n_genes, params.n_components)
    walk = alpha_decay(components, params.n_neighbors, params.decay)
    result = kmeans_result(
        diffuse(walk, components, params.steps), job, params.k_rule, params.n_starts
    )
    if job.impute:
        result.imputed = imputed_counts(data.counts, walk, params.steps)
    return result
