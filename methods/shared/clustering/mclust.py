"""Gaussian mixture with one shared full covariance (mclust's "EEE"), hierarchical start.

The model is scikit-learn's `GaussianMixture(covariance_type="tied")`; a test compares the two. That
one stops by the absolute change of the mean log-likelihood, where mclust takes the relative change
of the total, and a singular covariance is an error there, or hidden by a ridge that is always
added; here it is told, because it rules out a number of clusters.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import scipy.linalg

from methods.shared.clustering.kmeans import check_clusters, kmeans
from methods.shared.clustering.mclust_start import agglomerate, cut_tree, half_whiten

SUBSAMPLE = 2000
MAX_ITERATIONS = 1000


@dataclass(frozen=True)
class Mixture:
    """
    A fitted mixture.

    Parameters
    ----------
    labels
        Component of the highest posterior, cells.
    log_likelihood
        Total over cells, natural logarithm.
    bic
        ``2 log_likelihood - df log(cells)``: larger is better.
    ridge
        What was added to the covariance's diagonal; 0 unless it was singular.
    """

    labels: np.ndarray
    log_likelihood: float
    bic: float
    ridge: float


class HierarchicalStart:
    """
    The deterministic part of the start, computed once for all numbers of clusters.

    Parameters
    ----------
    features
        cells x d.
    rng
        Draws 2,000 cells where there are more, as mclust does.
    """

    def __init__(self, features: np.ndarray, rng: np.random.Generator) -> None:
        n = len(features)
        self.rows = np.arange(n)
        if n > SUBSAMPLE:
            self.rows = np.sort(rng.choice(n, SUBSAMPLE, replace=False))
        self.merges = agglomerate(half_whiten(features[self.rows]))

    def memberships(self, n_clusters: int) -> np.ndarray:
        """Return the partition of the drawn cells as rows of zeros and a one."""
        return np.eye(n_clusters)[cut_tree(self.merges, n_clusters)]


def _maximise(features: np.ndarray, z: np.ndarray) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """M-step: weights, means and the shared covariance."""
    size = np.maximum(z.sum(axis=0), 1e-12)
    means = (z.T @ features) / size[:, None]
    covariance = (features.T @ features - (means.T * size) @ means) / len(features)
    return size / len(features), means, covariance


def _expect(
    features: np.ndarray, weights: np.ndarray, means: np.ndarray, covariance: np.ndarray
) -> tuple[np.ndarray, float, float]:
    """E-step: posteriors, total log-likelihood and the ridge that was needed."""
    root, ridge = _cholesky(covariance)
    x = scipy.linalg.solve_triangular(root, features.T, lower=True)
    centre = scipy.linalg.solve_triangular(root, means.T, lower=True)
    square = (x**2).sum(axis=0)[:, None] - 2 * x.T @ centre + (centre**2).sum(axis=0)
    constant = len(covariance) * np.log(2 * np.pi) / 2 + np.log(np.diag(root)).sum()
    joint = np.log(weights) - 0.5 * np.maximum(square, 0.0) - constant
    peak = joint.max(axis=1, keepdims=True)
    z = np.exp(joint - peak)
    total = z.sum(axis=1, keepdims=True)
    return z / total, float((peak + np.log(total)).sum()), ridge


def _cholesky(covariance: np.ndarray) -> tuple[np.ndarray, float]:
    """Factor the covariance; where mclust would report failure, add the least ridge that helps."""
    scale = max(float(np.trace(covariance)) / len(covariance), 1e-150)
    for ridge in (0.0, 1e-9 * scale, 1e-6 * scale, 1e-3 * scale):
        try:
            root = np.linalg.cholesky(covariance + ridge * np.eye(len(covariance)))
        except np.linalg.LinAlgError:
            continue
        if np.diag(root).min() > 1e-8 * np.sqrt(scale):
            return root, ridge
    return np.sqrt(scale) * np.eye(len(covariance)), scale


def _climb(
    features: np.ndarray, start: tuple[np.ndarray, np.ndarray, np.ndarray]
) -> tuple[np.ndarray, float, float]:
    """Run EM until the log-likelihood changes by at most 1e-5 of itself."""
    z, likelihood, ridge = _expect(features, *start)
    for _ in range(MAX_ITERATIONS):
        before = likelihood
        z, likelihood, ridge = _expect(features, *_maximise(features, z))
        if abs(likelihood - before) <= 1e-5 * (1 + abs(likelihood)):
            break
    return z, likelihood, ridge


def fit_mixture(
    features: np.ndarray,
    n_clusters: int,
    rng: np.random.Generator,
    hierarchy: HierarchicalStart | None = None,
    kmeans_starts: int = 0,
) -> Mixture:
    """
    Fit the mixture by EM from the hierarchical partition and from k-means ones.

    The hierarchical start alone is what mclust does. It whitens first, so on principal
    components it can miss groups that only a few of them separate; k-means starts do not.

    Parameters
    ----------
    features
        cells x d.
    n_clusters
        Components.
    rng
        Draws the start's subsample above 2,000 cells; unused below.
    hierarchy
        Start computed earlier on the same features.
    kmeans_starts
        Further starts; the highest likelihood wins, the earlier on a tie.

    Notes
    -----
    Model, start and stopping rule (relative change of the log-likelihood at most 1e-5) follow
    mclust 6.1: Scrucca et al., The R Journal 8, 289 (2016), doi 10.32614/RJ-2016-021.
    """
    check_clusters(n_clusters, len(features))
    features = np.asarray(features, dtype=np.float64)
    features = features - features.mean(axis=0)
    hierarchy = hierarchy or HierarchicalStart(features, rng)
    memberships = hierarchy.memberships(min(n_clusters, len(hierarchy.rows)))
    fits = [_climb(features, _maximise(features[hierarchy.rows], memberships))]
    for _ in range(kmeans_starts):
        partition = np.eye(n_clusters)[kmeans(features, n_clusters, rng, n_starts=1)]
        fits.append(_climb(features, _maximise(features, partition)))
    z, likelihood, ridge = max(fits, key=lambda fit: fit[1])
    n, d = features.shape
    df = (n_clusters - 1) + n_clusters * d + d * (d + 1) / 2
    bic = float(2 * likelihood - df * np.log(n))
    return Mixture(z.argmax(axis=1), likelihood, bic, ridge)
