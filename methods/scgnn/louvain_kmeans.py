"""Clusters: their number from Louvain's communities, the rest by k-means."""

from __future__ import annotations

import random

import numpy as np
import scipy.sparse as sp

from methods.shared.clustering.kmeans import kmeans

FEW_CELLS = 2000  # below, more of Louvain's communities become clusters
MANY_CLUSTERS = 30
SMALL = 5  # members


def louvain_communities(graph: sp.csr_matrix, seed: int) -> int:
    """Count the communities of Louvain's partition at resolution 1."""
    import igraph

    upper = sp.triu(graph, k=1).tocoo()
    edges = np.column_stack([upper.row, upper.col])
    igraph.set_random_number_generator(random.Random(seed))
    found = igraph.Graph(n=graph.shape[0], edges=edges).community_multilevel()
    return len(found)


def clusters_from_communities(communities: int, n_cells: int) -> int:
    """Return the share of Louvain's communities that become clusters, at least 2."""
    share = 0.8 if n_cells < FEW_CELLS else 0.5
    found = int(share * communities)
    return found if found >= 3 else min(2, n_cells)


def merge_small(labels: np.ndarray, features: np.ndarray, bucket: bool) -> np.ndarray:
    """
    Merge small clusters.

    Parameters
    ----------
    labels
        Cluster of every cell.
    features
        cells x d.
    bucket
        False: clusters of fewer than 5 cells go to the nearest larger cluster, by centroid. True:
        those of fewer than 6 and those numbered from 30 on become one, as in the public code.
    """
    names, labels, size = np.unique(labels, return_inverse=True, return_counts=True)
    if bucket:
        small = (size <= SMALL) | (names >= MANY_CLUSTERS)
        labels = np.where(small[labels], len(names), labels)
        return np.unique(labels, return_inverse=True)[1]
    large = np.flatnonzero(size >= SMALL)
    if not large.size:
        return labels
    centres = np.stack([features[labels == k].mean(axis=0) for k in range(len(names))])
    gap = np.linalg.norm(centres[:, None] - centres[large][None], axis=2)
    target = np.where(size >= SMALL, np.arange(len(names)), large[gap.argmin(axis=1)])
    return np.unique(target[labels], return_inverse=True)[1]


def partition(
    graph: sp.csr_matrix,
    embedding: np.ndarray,
    n_clusters: int | None,
    rng: np.random.Generator,
    bucket: bool,
) -> np.ndarray:
    """
    Cluster the embedding by k-means (10 starts) into as many clusters as asked or as Louvain says.

    Parameters
    ----------
    graph
        Communities are counted on it.
    embedding
        cells x d.
    n_clusters
        Clusters; None for Louvain's rule.
    rng
        Source of all seeds.
    bucket
        See `merge_small`, applied to more than 30 clusters that Louvain asked for.
    """
    seed = int(rng.integers(2**31 - 1))
    wanted = n_clusters
    if wanted is None:
        wanted = clusters_from_communities(louvain_communities(graph, seed), len(embedding))
    labels = kmeans(embedding, wanted, rng, n_starts=10)
    if n_clusters is None and wanted > MANY_CLUSTERS:
        labels = merge_small(labels, embedding, bucket)
    return np.unique(labels, return_inverse=True)[1].astype(np.int64)
