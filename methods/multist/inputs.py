"""From counts, positions and image to components, graph and image tokens."""

from __future__ import annotations

from typing import Any

import numpy as np
import scipy.sparse as sp

from methods.contract import Data
from methods.shared.expression.counts import (
    genes_in_enough_spots,
    scale_to_total,
    take_genes,
    zscores,
)
from methods.shared.expression.hvg import seurat_v3_genes
from methods.shared.expression.pca import principal_components
from methods.shared.graphs.sections import section_knn
from methods.shared.graphs.weights import symmetrized, with_loops
from methods.shared.image.spots import image_components

MIN_COUNTS = 10
IMAGE_COMPONENTS = 50


def common_genes(counts: sp.csr_matrix, min_spots: int) -> np.ndarray:
    """Find genes seen in enough spots; of those, the ones with ten counts, unless none has."""
    seen = genes_in_enough_spots(counts, min_spots)
    total = np.bincount(counts.indices, weights=counts.data, minlength=counts.shape[1])[seen]
    enough = total >= MIN_COUNTS
    return seen[enough] if enough.any() else seen


def expression(
    counts: sp.csr_matrix, min_spots: int, n_genes: int, n_components: int
) -> np.ndarray:
    """
    Reduce counts to principal components: a million a spot, no logarithm, z-scores, no clipping.

    Parameters
    ----------
    counts
        Raw counts, spots x genes.
    min_spots
        See `common_genes`.
    n_genes
        Variable genes (seurat_v3, of raw counts); all where there are fewer.
    n_components
        Principal components; fewer where spots or genes are fewer.

    Returns
    -------
    Scores, spots x components.
    """
    counts = take_genes(counts, common_genes(counts, min_spots))
    scaled = take_genes(scale_to_total(counts, 1e6)[0], seurat_v3_genes(counts, n_genes))
    return principal_components(zscores(scaled).sparse, n_components)


def neighbor_graph(data: Data, n_neighbors: int) -> sp.csr_matrix:
    """
    Join spots of one section where either is among the other's nearest, and each with itself.

    Returns
    -------
    Symmetric ones with the diagonal, spots x spots, float32.
    """
    coordinates = data.required_coordinates("MultiST")
    return with_loops(symmetrized(section_knn(coordinates, n_neighbors, data.pitch, data.batch)))


def image_tokens(
    data: Data, colours: bool, rng: np.random.Generator
) -> tuple[np.ndarray | None, dict[str, Any]]:
    """
    Describe the tissue around every spot.

    Parameters
    ----------
    data
        With or without an image or its features.
    colours
        Whether the image is first mapped to the colours of its best patches.
    rng
        Chooses among these.

    Returns
    -------
    spots x components, None without either; and what is to be noted.
    """

    def evenly(image: np.ndarray) -> np.ndarray:
        from .colour import even_colours  # loads scikit-image

        where = data.required_coordinates("MultiST")
        return even_colours(image, where, data.scale, data.pitch, rng)

    return image_components(data, IMAGE_COMPONENTS, evenly if colours else None)
