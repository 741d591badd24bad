"""What STAGATE is trained on: log expression, the graph of spots, and coarse types."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
import scipy.sparse as sp

from methods.contract import Data
from methods.shared.clustering.leiden import Leiden
from methods.shared.expression.counts import log1p, scale_to_total, take_genes
from methods.shared.expression.hvg import seurat_v3_genes
from methods.shared.expression.pca import principal_components
from methods.shared.graphs.neighbors import pitch_of
from methods.shared.graphs.sections import section_knn
from methods.shared.graphs.weights import fuzzy_graph
from methods.shared.training.seeding import random_stream, seed_integer

from .section_graphs import between_sections, radius_of_mean_degree, section_graph

SPARSE_BELOW = 2.0
TYPE_COMPONENTS = 50
TYPE_RESOLUTION = 0.2


def log_expression(counts: sp.csr_matrix, n_genes: int) -> sp.csr_matrix:
    """Choose genes on raw counts, scale spots to 10,000 and take logarithms; not centred."""
    chosen = seurat_v3_genes(counts, n_genes)
    return take_genes(log1p(scale_to_total(counts, 1e4)[0]), chosen)


class Reach(NamedTuple):
    """Which spots see each other; the fields are the card's parameters."""

    graph: str
    radius: float
    mean_degree: float
    section_radius: float
    n_neighbors: int


def spot_graph(data: Data, reach: Reach) -> tuple[sp.csr_matrix, dict[str, float]]:
    """
    Build the graph without self-loops; row i has the spots that i receives messages from.

    On irregular positions 1.1 pitches reach next to nobody. Where they give fewer than two
    neighbours on average, the radius grows to ``mean_degree`` neighbours, which is about what the
    authors' radii give on their datasets (5.8 to 11.3).

    Returns
    -------
    The graph, and facts for the notes.
    """
    coordinates, sections = data.required_coordinates("STAGATE"), data.batch
    pitch = data.pitch or pitch_of(coordinates)
    if reach.graph == "knn":
        lists = section_knn(coordinates, reach.n_neighbors, pitch, sections)
        graph = sp.csr_matrix(lists.T)  # to those listed, as in both of the authors' codes
        return graph, {"mean_degree": graph.nnz / graph.shape[0]}
    radius = reach.radius * pitch
    graph = section_graph(coordinates, radius, pitch, sections)
    if reach.mean_degree > 0 and graph.nnz < SPARSE_BELOW * graph.shape[0]:
        radius = max(radius, radius_of_mean_degree(coordinates, reach.mean_degree, sections))
        graph = section_graph(coordinates, radius, pitch, sections)
    if sections is not None and reach.section_radius > 0:
        across = reach.section_radius * pitch
        graph = sp.csr_matrix(graph + between_sections(coordinates, across, pitch, sections))
    return graph, {"radius": radius, "mean_degree": graph.nnz / graph.shape[0]}


def cell_types(features: sp.csr_matrix, seed: int) -> np.ndarray:
    """Cluster log expression coarsely: 50 components, 15 neighbours, resolution 0.2."""
    components = principal_components(features, TYPE_COMPONENTS)
    communities = Leiden(fuzzy_graph(components), seed_integer(random_stream(seed, "types")))
    return communities.partition(TYPE_RESOLUTION)


def within_types(graph: sp.csr_matrix, types: np.ndarray) -> np.ndarray:
    """Return which edges of the graph join spots of one type, edges, in row order."""
    rows = np.repeat(np.arange(graph.shape[0]), np.diff(graph.indptr))
    return np.asarray(types[rows] == types[graph.indices])
