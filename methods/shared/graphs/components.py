"""Principal components of cells and the graph that joins them: what a generic method is given."""

from __future__ import annotations

from typing import Any, NamedTuple

import numpy as np
import scipy.sparse as sp
import torch
from torch import Tensor

from methods.contract import Data
from methods.shared.expression.counts import expressed_genes
from methods.shared.expression.pca import standard_components
from methods.shared.graphs.neighbors import feature_knn
from methods.shared.graphs.sections import section_knn
from methods.shared.graphs.weights import adjacency, symmetrized
from methods.shared.nn.sparse import csr_tensor


class ComponentGraph(NamedTuple):
    """Features and edges of the same cells, as layers of PyTorch Geometric take them."""

    features: Tensor  # cells x components, float32, root mean square 1
    adjacency: Tensor  # cells x cells, CSR, symmetric 0/1 without loops
    edges: Tensor  # the same as pairs, 2 x edges, sorted; each edge in both directions
    notes: dict[str, Any]


def component_graph(
    data: Data,
    n_genes: int,
    n_components: int,
    n_neighbors: int,
    n_spatial_neighbors: int,
    device: str = "cpu",
) -> ComponentGraph:
    """
    Reduce the counts, and join near spots of a tissue or similar cells.

    Parameters
    ----------
    data
        Coordinates decide which graph is built; spots are joined within their section.
    n_genes, n_components
        Variable genes, and principal components of them. One number divides all components, so
        that their root mean square is 1 and distances keep their proportions.
    n_neighbors
        Nearest other cells by Euclidean distance of the components, where there are no coordinates.
    n_spatial_neighbors
        Nearest other spots of the section, where there are coordinates.
    device
        Torch device.

    Raises
    ------
    ValueError
        Where no cell expresses anything.
    """
    expressed_genes(data.counts)
    components = standard_components(data.counts, n_genes, n_components)
    if data.coordinates is None:
        directed, kind = adjacency(feature_knn(components, n_neighbors)[0]), "expression"
    else:
        place = (data.coordinates, n_spatial_neighbors, data.pitch, data.batch)
        directed, kind = section_knn(*place), "space"
    graph = symmetrized(directed)
    graph.sort_indices()
    scale = np.sqrt(np.mean(components**2)) or 1.0
    return ComponentGraph(
        torch.from_numpy((components / scale).astype(np.float32)).to(device),
        csr_tensor(graph, device),
        torch.from_numpy(_pairs(graph)).to(device),
        {"graph": kind, "mean_degree": graph.nnz / data.n_cells},
    )


def _pairs(graph: sp.csr_matrix) -> np.ndarray:
    """Return row and column of every edge in the order of the CSR matrix, 2 x edges."""
    rows = np.repeat(np.arange(graph.shape[0]), np.diff(graph.indptr))
    return np.stack([rows, graph.indices]).astype(np.int64)
