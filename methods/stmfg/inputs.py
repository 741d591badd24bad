"""From counts and positions to features and two graphs, and how these are normalised."""

from __future__ import annotations

import scipy.sparse as sp

from methods.contract import Data, Params
from methods.shared.graphs.neighbors import pitch_of
from methods.shared.graphs.radius import radius_graph
from methods.shared.graphs.two_views import TwoViews, two_views
from methods.shared.graphs.weights import normalized_adjacency, row_normalized, with_loops


def prepare(data: Data, params: Params) -> TwoViews:
    """Build the features and both graphs."""
    coordinates = data.required_coordinates("stMFG")
    pitch = data.pitch or pitch_of(coordinates)
    radius = params.radius_px or params.radius * pitch
    near = radius_graph(coordinates, radius, pitch)
    sizes = (params.min_spots, params.n_genes, params.n_neighbors)
    return two_views(data, near, radius / pitch, *sizes)


def propagation(graph: sp.csr_matrix, kind: str) -> sp.csr_matrix:
    """Normalise A + I by rows (``average``) or by the roots of both degrees (``symmetric``)."""
    looped = with_loops(graph)
    return row_normalized(looped) if kind == "average" else normalized_adjacency(looped)
