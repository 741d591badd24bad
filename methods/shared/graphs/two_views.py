"""What encoders of two graph views see: expression, near spots and similar spots."""

from __future__ import annotations

from typing import NamedTuple

import scipy.sparse as sp

from methods.contract import Data
from methods.shared.expression.spots import filtered_expression
from methods.shared.graphs.neighbors import expression_knn
from methods.shared.graphs.weights import adjacency, symmetrized


class TwoViews(NamedTuple):
    """Features and two graphs of the same spots."""

    features: sp.csr_matrix  # spots x genes, float32
    near: sp.csr_matrix  # symmetric 0/1 graph of spots within a radius, no loops
    alike: sp.csr_matrix  # symmetric 0/1 graph of spots with similar expression, no loops
    notes: dict[str, float | str]


def two_views(
    data: Data,
    near: sp.csr_matrix,
    radius: float,
    min_spots: int,
    n_genes: int,
    n_neighbors: int,
) -> TwoViews:
    """
    Build the features and the graph of similar spots.

    Parameters
    ----------
    data
        Counts.
    near, radius
        The graph of near spots, and its radius in pitches.
    min_spots, n_genes
        See `filtered_expression`.
    n_neighbors
        Nearest other spots by cosine distance of expression.
    """
    features = filtered_expression(data.counts, min_spots, n_genes)
    neighbours, rule = expression_knn(features, n_neighbors)
    notes = {
        "genes": features.shape[1],
        "radius_pitches": radius,
        "spatial_degree": near.nnz / near.shape[0],
        "expression_neighbours": rule,
    }
    return TwoViews(features, near, symmetrized(adjacency(neighbours)), notes)
