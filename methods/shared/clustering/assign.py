"""Clustering heads: features or a graph in, `Result` out; each loads what it needs alone."""

from __future__ import annotations

from typing import Any

import numpy as np
import scipy.sparse as sp

from methods.contract import Job, Result
from methods.shared.clustering.kmeans import check_clusters, kmeans
from methods.shared.training.seeding import random_stream, seed_integer


def number_of_clusters(
    features: np.ndarray, job: Job, rule: str, graph: sp.csr_matrix | None = None
) -> tuple[int, dict[str, Any]]:
    """Return the number asked for, else the estimate, and what is to be noted of it."""
    if job.n_clusters is not None:
        return job.n_clusters, {"k_rule": "given"}
    from methods.shared.clustering.n_clusters import estimate_n_clusters

    found = estimate_n_clusters(rule, features, random_stream(job.seed, "number"), graph)
    return found.n_clusters, found.notes


def kmeans_result(features: np.ndarray, job: Job, k_rule: str, n_starts: int = 20) -> Result:
    """
    Cluster by k-means.

    Parameters
    ----------
    features
        cells x d; they become the embedding.
    job
        Seed and number of clusters.
    k_rule
        What estimates the number where none is given, see `n_clusters.estimate_n_clusters`.
    n_starts
        Starts of k-means.
    """
    n_clusters, notes = number_of_clusters(features, job, k_rule)
    clusters = kmeans(features, n_clusters, random_stream(job.seed, "head"), n_starts)
    return Result(clusters, features.astype(np.float32), notes=notes)


def mixture_result(features: np.ndarray, job: Job, k_rule: str, kmeans_starts: int = 0) -> Result:
    """
    Cluster by the shared-covariance Gaussian mixture.

    Parameters
    ----------
    features
        cells x d; they become the embedding.
    job
        Seed and number of clusters.
    k_rule
        What estimates the number where none is given, see `n_clusters.estimate_n_clusters`.
    kmeans_starts
        Starts of EM beside the hierarchical one.
    """
    from methods.shared.clustering.mclust import fit_mixture

    n_clusters, notes = number_of_clusters(features, job, k_rule)
    mixture = fit_mixture(
        features, n_clusters, random_stream(job.seed, "head"), kmeans_starts=kmeans_starts
    )
    notes |= {
        "log_likelihood": mixture.log_likelihood,
        "bic": mixture.bic,
        "covariance_ridge": mixture.ridge,
    }
    return Result(mixture.labels, features.astype(np.float32), notes=notes)


def leiden_result(
    graph: sp.csr_matrix,
    features: np.ndarray,
    job: Job,
    k_rule: str,
    resolution: float = 1.0,
    budget: int = 30,
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
        see `n_clusters.estimate_n_clusters`; the eigengap is that of `graph`.
    resolution
        Of modularity, for ``own`` alone.
    budget
        Partitions the search may compute.
    """
    from methods.shared.clustering.leiden import Leiden

    leiden = Leiden(graph, seed_integer(random_stream(job.seed, "head")))
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
