"""Clustering heads of the baselines: features in, `Result` out."""

from __future__ import annotations

import numpy as np

from methods.contract import Job, Result
from methods.shared.kmeans import kmeans
from methods.shared.mixture import estimate_clusters, fit_mixture
from methods.shared.seeding import stream


def number_of_clusters(features: np.ndarray, job: Job) -> tuple[int, str]:
    """Return the number asked for, else the one with the highest mixture BIC, and the rule."""
    if job.n_clusters is not None:
        return job.n_clusters, "given"
    return estimate_clusters(features, stream(job.seed, "number"))


def kmeans_result(features: np.ndarray, job: Job, n_starts: int = 20) -> Result:
    """
    Cluster by k-means.

    Parameters
    ----------
    features
        cells x d; they become the embedding.
    job
        Seed and number of clusters.
    n_starts
        Starts of k-means.
    """
    n_clusters, rule = number_of_clusters(features, job)
    clusters = kmeans(features, n_clusters, stream(job.seed, "head"), n_starts)
    return Result(clusters, features.astype(np.float32), notes={"k_rule": rule})


def mixture_result(features: np.ndarray, job: Job, kmeans_starts: int = 0) -> Result:
    """
    Cluster by the shared-covariance Gaussian mixture.

    Parameters
    ----------
    features
        cells x d; they become the embedding.
    job
        Seed and number of clusters.
    kmeans_starts
        Starts of EM beside the hierarchical one.
    """
    n_clusters, rule = number_of_clusters(features, job)
    mixture = fit_mixture(
        features, n_clusters, stream(job.seed, "head"), kmeans_starts=kmeans_starts
    )
    notes = {
        "k_rule": rule,
        "log_likelihood": mixture.log_likelihood,
        "bic": mixture.bic,
        "covariance_ridge": mixture.ridge,
    }
    return Result(mixture.labels, features.astype(np.float32), notes=notes)
