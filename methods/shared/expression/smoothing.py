"""Components averaged over neighbouring spots."""

from __future__ import annotations

import numpy as np

from methods.contract import Data
from methods.shared.expression.pca import standard_components
from methods.shared.graphs.neighbors import spatial_knn


def smoothed_components(
    data: Data, n_genes: int, n_components: int, n_neighbors: int
) -> np.ndarray:
    """
    Average each spot's standard components with those of its nearest spots.

    Parameters
    ----------
    data
        A tissue; its counts are reduced as `standard_components` does.
    n_genes, n_components
        Variable genes, and principal components of them.
    n_neighbors
        Nearest other spots; fewer where there are fewer. One, two and three rings of a hexagonal
        lattice have 6, 18 and 36.

    Returns
    -------
    spots x components, float64.

    Raises
    ------
    ValueError
        Where there are no coordinates.
    """
    coordinates = data.required_coordinates("smoothing")
    components = standard_components(data.counts, n_genes, n_components)
    nearest = spatial_knn(coordinates, n_neighbors, data.pitch)
    around = np.column_stack([np.arange(data.n_cells), nearest])
    return np.asarray(sum(components[column] for column in around.T) / around.shape[1])
