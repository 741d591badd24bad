"""Principal components and Leiden communities of the neighbour graph."""

from __future__ import annotations

import numpy as np

from methods.contract import Data, Job, Params, Result
from methods.shared.estimate import number_of_clusters
from methods.shared.kmeans import check_clusters
from methods.shared.leiden import Leiden, fuzzy_graph
from methods.shared.pca import standard_components
from methods.shared.seeding import integer, stream


def fit(data: Data, params: Params, job: Job) -> Result:
    """Find communities; with a number of clusters, search the resolution that gives it."""
    components = standard_components(data.counts, params.n_genes, params.n_components)
    graph = fuzzy_graph(components, params.n_neighbors)
    leiden = Leiden(graph, integer(stream(job.seed, "head")))
    embedding = components.astype(np.float32)
    if job.n_clusters is None and params.k_rule == "own":
        rule = f"Leiden's own at resolution {params.resolution:g}"
        return Result(leiden.partition(params.resolution), embedding, notes={"k_rule": rule})
    n_clusters, notes = number_of_clusters(components, job, params.k_rule, graph)
    check_clusters(n_clusters, data.n_cells)
    found = leiden.search(n_clusters, params.budget)
    notes |= {
        "resolution": found.resolution,
        "resolution_search": found.status,
        "partitions_computed": found.evaluations,
    }
    return Result(found.labels, embedding, notes=notes)
