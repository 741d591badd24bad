"""Uniformly random clusters: the floor of every comparison."""

from __future__ import annotations

from methods.contract import Data, Job, Params, Result
from methods.shared.clustering.kmeans import check_clusters
from methods.shared.training.seeding import random_stream


def fit(data: Data, params: Params, job: Job) -> Result:
    """Draw a cluster for every cell; without a number of clusters, draw that too (2 to 20)."""
    n_clusters, rule = job.n_clusters, "given"
    if n_clusters is None:
        most = min(20, data.n_cells)
        n_clusters = int(random_stream(job.seed, "number").integers(min(2, most), most + 1))
        rule = "uniform draw from 2 to 20"
    check_clusters(n_clusters, data.n_cells)
    clusters = random_stream(job.seed, "labels").integers(n_clusters, size=data.n_cells)
    return Result(clusters, notes={"k_rule": rule})
