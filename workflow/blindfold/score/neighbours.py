"""Neighbours of cells and spots, for metrics."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    import anndata
    import scipy.sparse as sp

SPOTS, CELLS, COMPONENTS = 6, 15, 50
VOTERS = 18
DIGITS = 6  # of a distance, in units of the spacing of spots: what differs by less is a tie


def batches(data: anndata.AnnData) -> np.ndarray:
    """Return the batch of each cell as a code; all the same where there are none."""
    if "batch" not in data.obs:
        return np.zeros(data.n_obs, dtype=np.int64)
    return np.asarray(data.obs["batch"].astype("category").cat.codes, dtype=np.int64)


def neighbour_graph(data: anndata.AnnData) -> sp.csr_matrix:
    """Join each spot to its nearest ones of the same section, or each cell to those like it.

    Parameters
    ----------
    data
        N cells x genes, log-normalised.

    Returns
    -------
    scipy.sparse.csr_matrix
        N x N, 1 for each of the `SPOTS` nearest spots where there are coordinates, else for each
        of the `CELLS` nearest cells by principal components; directed, no loops.
    """
    import scipy.sparse as sp
    from sklearn.neighbors import kneighbors_graph

    if "spatial" not in data.obsm:
        return kneighbors_graph(_components(data), min(CELLS, data.n_obs - 1))
    rows, columns = [], []
    for spots in _sections(batches(data)):
        near = nearest_spots(np.asarray(data.obsm["spatial"])[spots], SPOTS)
        rows.append(np.repeat(spots, near.shape[1]))
        columns.append(spots[near].ravel())
    where = np.concatenate(rows), np.concatenate(columns)
    return sp.csr_matrix((np.ones(len(where[0])), where), shape=(data.n_obs, data.n_obs))


def _components(data: anndata.AnnData) -> np.ndarray:
    from sklearn.decomposition import PCA

    n = min(COMPONENTS, data.n_obs - 1, data.n_vars - 1)
    pca = PCA(n, svd_solver="covariance_eigh" if data.n_vars <= 5000 else "arpack", random_state=0)
    return pca.fit_transform(data.X)


def _sections(batch: np.ndarray) -> list[np.ndarray]:
    return [np.flatnonzero(batch == code) for code in np.unique(batch)]


def nearest_spots(coordinates: np.ndarray, n: int) -> np.ndarray:
    """Return the nearest other spots of each, by distance and then by position in the table.

    Parameters
    ----------
    coordinates
        Positions of N spots, N x 2.
    n
        How many; fewer where there are fewer.
    """
    from scipy.spatial import cKDTree

    n = min(n, len(coordinates) - 1)
    # twice as many are looked at, so that ties at the border are decided by position
    distance, near = cKDTree(coordinates).query(coordinates, min(2 * n, len(coordinates) - 1) + 1)
    pitch = np.median(distance[:, 1]) or 1.0
    other = near != np.arange(len(near))[:, None]
    distance = np.where(other, (distance / pitch).round(DIGITS), np.inf)
    order = np.lexsort([near, distance])[:, :n]
    return np.take_along_axis(near, order, axis=1)


def majority_vote(clusters: np.ndarray, coordinates: np.ndarray, batch: np.ndarray) -> np.ndarray:
    """Give every spot the commonest cluster of its `VOTERS` nearest spots of the same section.

    Of equally common ones the first met going outwards wins. It is the refinement that several
    methods end with, here the same for all.
    """
    voted = np.array(clusters)
    for spots in _sections(batch):
        if len(spots) > 1:
            votes = clusters[spots][nearest_spots(np.asarray(coordinates)[spots], VOTERS)]
            counts = np.zeros(votes.shape, dtype=np.int64)
            for column in votes.T:
                counts += votes == column[:, None]
            voted[spots] = votes[np.arange(len(votes)), counts.argmax(axis=1)]
    return voted
