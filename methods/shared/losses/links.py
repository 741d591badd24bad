"""Edges of a graph, and pairs of cells without one, that a decoder of edges learns to tell."""

from __future__ import annotations

import torch
from torch import Tensor


class Links:
    """
    All edges of a fixed graph, and as many other pairs drawn anew whenever they are asked for.

    Parameters
    ----------
    edges
        Ordered pairs of cells, 2 x edges, each edge in both directions, without loops. Of a graph
        without any, every cell with itself stands for them, so that their mean loss exists.
    n_cells
        Cells.
    """

    def __init__(self, edges: Tensor, n_cells: int) -> None:
        self.n_cells = n_cells
        self.loops = torch.arange(n_cells, device=edges.device).expand(2, -1)
        self.edges = edges if edges.shape[1] else self.loops
        self._taken = torch.cat([self._codes(edges), self._codes(self.loops)])

    def _codes(self, pairs: Tensor) -> Tensor:
        return pairs[0] * self.n_cells + pairs[1]

    def non_edges(self) -> Tensor:
        """
        Draw as many ordered pairs as there are edges, and drop edges and loops among them.

        Torch's own generator draws them on the CPU, see `seeded_torch`. Where nothing is left, as
        in a graph that joins all of its few cells, every cell is paired with itself.

        Returns
        -------
        2 x pairs.
        """
        drawn = torch.randint(self.n_cells, self.edges.shape).to(self.edges.device)
        free = drawn[:, ~torch.isin(self._codes(drawn), self._taken)]
        return free if free.shape[1] else self.loops
