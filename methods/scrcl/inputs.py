"""From counts to features, a graph of cells and a graph of genes."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
import scipy.sparse as sp

from methods.contract import Data
from methods.shared.expression.counts import (
    expressed_genes,
    log1p,
    scale_to_total,
    take_genes,
    unit_variance,
)
from methods.shared.expression.hvg import seurat_genes, seurat_v3_genes
from methods.shared.expression.spots import scaled_log_expression
from methods.shared.graphs.neighbors import expression_knn, spatial_knn
from methods.shared.graphs.weights import adjacency, gathering, symmetrized

EXACT_UP_TO = 9_999  # cells compared over all genes
CELLS = 512


class Inputs(NamedTuple):
    """What the network sees."""

    features: sp.csr_matrix  # cells x genes, float32
    cells: sp.csr_matrix  # symmetric 0/1 graph of cells without loops
    genes: sp.csr_matrix  # normalised propagation between genes


def cells_of(data: Data, n_genes: int, n_neighbors: int, kind: str) -> tuple[sp.csr_matrix, ...]:
    """
    Prepare single cells: neighbours by cosine distance of logarithmic expression.

    Parameters
    ----------
    data
        Counts.
    n_genes
        Variable genes, scanpy's default flavour.
    n_neighbors
        Neighbours, the cell itself counted.
    kind
        Features: ``counts``, or ``scaled`` log values of unit deviation, capped at 10.

    Returns
    -------
    Features and the graph of cells.
    """
    counts = take_genes(data.counts, expressed_genes(data.counts))
    normalised, _ = scale_to_total(counts, 1e4)
    chosen = seurat_genes(normalised, n_genes)
    logged = take_genes(log1p(normalised), chosen)
    graph = symmetrized(adjacency(expression_knn(logged, n_neighbors - 1, EXACT_UP_TO)[0]))
    if kind == "counts":
        return take_genes(counts, chosen).astype(np.float32), graph
    return unit_variance(logged, clip=10.0), graph


def spots_of(data: Data, n_genes: int, n_neighbors: int, kind: str) -> tuple[sp.csr_matrix, ...]:
    """
    Prepare spots: neighbours by position.

    Parameters
    ----------
    data
        Counts and coordinates.
    n_genes
        Variable genes, flavour seurat_v3.
    n_neighbors
        Other spots in the graph.
    kind
        As in `cells_of`.

    Returns
    -------
    Features and the graph of spots.
    """
    coordinates = data.required_coordinates("scRCL on spots")
    graph = symmetrized(adjacency(spatial_knn(coordinates, n_neighbors, data.pitch)))
    if kind == "scaled":
        return scaled_log_expression(data.counts, n_genes), graph
    chosen = seurat_v3_genes(data.counts, n_genes)
    return take_genes(data.counts, chosen).astype(np.float32), graph


def gene_neighbours(features: sp.csr_matrix, k: int) -> np.ndarray:
    """
    List the k nearest genes of every gene by Euclidean distance over cells, itself included.

    Distances come from the genes x genes Gram matrix, which blocks of cells add up to. Equal
    ones are decided by index, so that many duplicates can push a gene out of its own list.

    Parameters
    ----------
    features
        cells x genes, some thousand genes at most.
    k
        Neighbours; at most as many as there are genes.
    """
    genes = features.shape[1]
    gram = np.zeros((genes, genes))
    for start in range(0, features.shape[0], CELLS):
        block = features[start : start + CELLS].toarray().astype(np.float64)
        gram += block.T @ block
    square = gram.diagonal().copy()
    found = np.empty((genes, min(k, genes)), dtype=np.int64)
    for i in range(genes):
        distance = np.maximum(square + square[i] - 2 * gram[i], 0.0)
        found[i] = np.argsort(distance, kind="stable")[:k]
    return found


def gene_propagation(neighbours: np.ndarray) -> sp.csr_matrix:
    """Normalise the directed gene graph, each gene in its own list: it gathers who lists it."""
    lists = adjacency(neighbours)
    own = sp.eye_array(len(neighbours), dtype=np.float32, format="csr")
    return gathering(sp.csr_matrix(lists.maximum(own)))
