"""Parts of a tissue that are trained on at a time: all of it, tiles with a halo, or a grid."""

from __future__ import annotations

from itertools import pairwise

import numpy as np
import scipy.sparse as sp
import torch
from torch import Tensor

from methods.shared.graphs.weights import with_loops
from methods.shared.nn.sparse import TiledMatrix

from .attention import EdgeGraph
from .inputs import within_types
from .tiles import spatial_tiles, with_halo


class Part:
    """
    Some spots, the first of which count in the loss and the others only surround them.

    Parameters
    ----------
    features
        Log expression, spots x genes.
    graph
        Self-looped graph, spots x spots.
    types
        Type of each spot, spots; None without pruning.
    interior
        Spots that count.
    device
        Torch device.
    """

    def __init__(
        self,
        features: sp.csr_matrix,
        graph: sp.csr_matrix,
        types: np.ndarray | None,
        interior: int,
        device: str,
    ) -> None:
        self.features = TiledMatrix(features, device)
        self.graph = EdgeGraph(graph, device)
        self.interior = interior
        self.square = float((features[:interior].data.astype(np.float64) ** 2).sum())
        self.kept: Tensor | None = None
        if types is not None:
            mask = within_types(graph, types)
            data = (np.ones(int(mask.sum()), dtype=np.float32), graph.indices[mask])
            starts = np.concatenate([[0], np.cumsum(mask)])[graph.indptr]
            self.pruned = EdgeGraph(sp.csr_matrix((*data, starts), graph.shape), device)
            self.kept = torch.from_numpy(np.flatnonzero(mask)).to(device)


class Tissue:
    """
    Expression and graph of all spots, from which parts are cut.

    Parameters
    ----------
    features
        Log expression, spots x genes.
    graph
        Without self-loops.
    coordinates
        Positions, spots x 2.
    types
        Type of each spot, for pruning, or None.
    device
        Torch device.
    """

    def __init__(
        self,
        features: sp.csr_matrix,
        graph: sp.csr_matrix,
        coordinates: np.ndarray,
        types: np.ndarray | None = None,
        device: str = "cpu",
    ) -> None:
        self.features, self.graph = features, with_loops(graph)
        self.coordinates, self.types, self.device = coordinates, types, device

    def part(self, spots: np.ndarray, interior: int) -> Part:
        """Cut out some spots and the edges among them."""
        if len(spots) == len(self.coordinates) and (np.diff(spots) > 0).all():
            features, graph = self.features, self.graph
        else:
            features, graph = self.features[spots], self.graph[spots][:, spots]
            features.sort_indices()
            graph.sort_indices()
        types = None if self.types is None else self.types[spots]
        return Part(features, graph, types, interior, self.device)

    def tiles(self, spots: np.ndarray, most: int) -> list[tuple[np.ndarray, Part]]:
        """Cut spots, alone in the world, into tiles of at most `most` with two hops around."""
        if len(spots) <= most:
            return [(spots, self.part(spots, len(spots)))]
        graph = self.graph[spots][:, spots]
        cut = []
        for interior in spatial_tiles(self.coordinates[spots], most):
            around = with_halo(graph, interior, hops=2)
            cut.append((spots[interior], self.part(spots[around], len(interior))))
        return cut

    def grid(self, columns: int, rows: int) -> list[np.ndarray]:
        """Cut at quantiles of the coordinates; spots on a cut are in both, empty cells in none."""
        inside = []
        for axis, count in ((0, columns), (1, rows)):
            x = self.coordinates[:, axis]
            cuts = np.quantile(x, np.linspace(0, 1, count + 1))
            cuts[[0, -1]] = x.min(), x.max()
            inside.append([(x >= low) & (x <= high) for low, high in pairwise(cuts)])
        cells = [np.flatnonzero(a & b) for a in inside[0] for b in inside[1]]
        return [spots for spots in cells if spots.size]
