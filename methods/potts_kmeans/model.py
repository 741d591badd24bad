"""PCA and k-means, then a Potts field that makes neighbouring spots agree."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
import scipy.sparse as sp

from methods.contract import Data, Job, Params, Result
from methods.shared.clustering.assign import kmeans_result
from methods.shared.expression.pca import standard_components
from methods.shared.graphs.neighbors import spatial_knn
from methods.shared.graphs.weights import adjacency, symmetrized

from .field import energy, settle


class Centres(NamedTuple):
    """
    Spherical Gaussians of one common variance.

    Parameters
    ----------
    means
        clusters x d; a cluster that lost its spots keeps its last mean.
    variance
        Per dimension.
    """

    means: np.ndarray
    variance: float

    def cost(self, features: np.ndarray) -> np.ndarray:
        """Return minus the log-likelihood but for its constant, spots x clusters."""
        square = (features**2).sum(axis=1)[:, None] + (self.means**2).sum(axis=1)
        distance = np.maximum(square - 2 * features @ self.means.T, 0.0)
        spread = features.shape[1] / 2 * np.log(self.variance)
        return np.asarray(distance / (2 * self.variance) + spread)


def estimate(features: np.ndarray, labels: np.ndarray, means: np.ndarray) -> Centres:
    """Return the likeliest centres of a partition; `means` stand for empty clusters."""
    size = np.bincount(labels, minlength=len(means))
    members = np.eye(len(means))[labels]
    filled = size[:, None] > 0
    means = np.where(filled, members.T @ features / np.maximum(size, 1)[:, None], means)
    floor = 1e-9 * max(float(features.var()), 1e-150)
    return Centres(means, max(float(((features - means[labels]) ** 2).mean()), floor))


def smooth(
    features: np.ndarray, graph: sp.csr_matrix, labels: np.ndarray, beta: float, rounds: int
) -> tuple[np.ndarray, list[float]]:
    """
    Alternate between labels that settle in the field and the centres of those labels.

    Neither step raises the energy, minus the log-likelihood plus beta for every edge between
    unequal labels.

    Parameters
    ----------
    features
        spots x d.
    graph
        Symmetric 0/1, spots x spots, no loops.
    labels
        The start, from 0, one per spot.
    beta
        Price of an edge between unequal labels, nats.
    rounds
        At most; it ends earlier where no label changes.

    Returns
    -------
    Labels, and the energy of the start and of every round. A label may vanish.
    """
    features = features - features.mean(axis=0)
    none = np.zeros((int(labels.max()) + 1, features.shape[1]))
    centres = estimate(features, labels, none)
    energies = [energy(centres.cost(features), graph, beta, labels)]
    for _ in range(rounds):
        settled = settle(centres.cost(features), graph, beta, labels)
        changed = bool((settled != labels).any())
        labels, centres = settled, estimate(features, settled, centres.means)
        energies.append(energy(centres.cost(features), graph, beta, labels))
        if not changed:
            break
    return labels, energies


def fit(data: Data, params: Params, job: Job) -> Result:
    """Cluster spots as PCA + k-means does and smooth the labels."""
    coordinates = data.required_coordinates("the Potts field")
    components = standard_components(data.counts, params.n_genes, params.n_components)
    result = kmeans_result(components, job, params.k_rule, params.n_starts)
    nearest = spatial_knn(coordinates, params.n_neighbors, data.pitch)
    graph = symmetrized(adjacency(nearest))
    start = result.clusters
    result.clusters, energies = smooth(components, graph, start, params.beta, params.rounds)
    result.notes |= {
        "energies": energies,
        "spots_relabelled": int((result.clusters != start).sum()),
    }
    return result
