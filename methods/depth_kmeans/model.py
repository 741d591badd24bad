"""K-means on sequencing depth: the score of a technical covariate alone."""

from __future__ import annotations

import numpy as np

from methods.contract import Data, Job, Params, Result
from methods.shared.clustering.assign import kmeans_result


def fit(data: Data, params: Params, job: Job) -> Result:
    """Cluster cells by log total counts and log detected genes."""
    totals = np.asarray(data.counts.sum(axis=1), dtype=np.float64).ravel()
    detected = np.diff(data.counts.indptr)
    depth = np.log1p(np.column_stack([totals, detected]))
    return kmeans_result(depth, job, params.k_rule, params.n_starts)
