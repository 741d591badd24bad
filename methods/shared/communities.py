"""Leiden as the clustering head of a baseline: neighbour graph in, `Result` out."""

from __future__ import annotations

import numpy as np
import scipy.sparse as sp

from methods.contract import Job, Result
from methods.shared.estimate import number_of_clusters
from methods.shared.kmeans import check_clusters
from methods.shared.leiden import BUDGET, Leiden
from methods.shared.seeding import integer, stream


def leiden_result(
    graph: sp.csr_matrix,
    features: np.ndarray,
    job: Job,
    k_rule: str,
    resolution: float = 1.0,
    budget: int = BUDGET,
) -> Result:
    """
    Find communities; with a number of clusters, search the resolution that gives it.

    Parameters
    ----------
    graph
        Symmetric weights, cells x cells.
    features
        cells x d; they become the embedding.
    job
        Seed and number of clusters.
    k_rule
        What decides where no number is given: ``own`` for the communities at `resolution`, else
        see `methods.shared.estimate`; the eigengap is that of `graph`.
    resolution
        Of modularity, for ``own`` alone.
    budget
        Partitions the search may compute.
    """
    leiden = Leiden(graph, integer(stream(job.seed, "head")))
    embedding = features.astype(np.float32)
    if job.n_clusters is None and k_rule == "own":
        rule = f"Leiden's own at resolution {resolution:g}"
        return Result(leiden.partition(resolution), embedding, notes={"k_rule": rule})
    n_clusters, notes = number_of_clusters(features, job, k_rule, graph)
    check_clusters(n_clusters, len(features))
    found = leiden.search(n_clusters, budget)
    notes |= {
        "resolution": found.resolution,
        "resolution_search": found.status,
        "partitions_computed": found.evaluations,
    }
    return Result(found.labels, embedding, notes=notes)
