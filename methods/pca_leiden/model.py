"""Principal components and Leiden communities of the neighbour graph."""

from __future__ import annotations

import numpy as np

from methods.contract import Data, Job, Params, Result
from methods.shared.kmeans import check_clusters
from methods.shared.leiden import Leiden, fuzzy_graph
from methods.shared.pca import standard_components
from methods.shared.seeding import integer, stream


def fit(data: Data, params: Params, job: Job) -> Result:
    """Find communities; with a number of clusters, search the resolution that gives it."""
    components = standard_components(data.counts, params.n_genes, params.n_components)
    leiden = Leiden(fuzzy_graph(components, params.n_neighbors), integer(stream(job.seed, "head")))
    embedding = components.astype(np.float32)
    if job.n_clusters is None:
        rule = f"Leiden's own at resolution {params.resolution:g}"
        return Result(leiden.partition(params.resolution), embedding, notes={"k_rule": rule})
    check_clusters(job.n_clusters, data.n_cells)
    found = leiden.search(job.n_clusters, params.budget)
    notes = {
        "k_rule": "given",
        "resolution": found.resolution,
        "resolution_search": found.status,
        "partitions_computed": found.evaluations,
    }
    return Result(found.labels, embedding, notes=notes)
