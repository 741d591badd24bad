"""Clustering heads of the baselines: features in, `Result` out."""

from __future__ import annotations

import numpy as np

from methods.contract import Job, Result
from methods.shared.estimate import number_of_clusters
from methods.shared.kmeans import kmeans
from methods.shared.mixture import fit_mixture
from methods.shared.seeding import stream


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
        What estimates the number where none is given, see `methods.shared.estimate`.
    n_starts
        Starts of k-means.
    """
    n_clusters, notes = number_of_clusters(features, job, k_rule)
    clusters = kmeans(features, n_clusters, stream(job.seed, "head"), n_starts)
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
        What estimates the number where none is given, see `methods.shared.estimate`.
    kmeans_starts
        Starts of EM beside the hierarchical one.
    """
    n_clusters, notes = number_of_clusters(features, job, k_rule)
    mixture = fit_mixture(
        features, n_clusters, stream(job.seed, "head"), kmeans_starts=kmeans_starts
    )
    notes |= {
        "log_likelihood": mixture.log_likelihood,
        "bic": mixture.bic,
        "covariance_ridge": mixture.ridge,
    }
    return Result(mixture.labels, features.astype(np.float32), notes=notes)
