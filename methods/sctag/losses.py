"""The graph decoder's loss over all pairs of cells, in row blocks."""

from __future__ import annotations

import torch
from torch import Tensor

from methods.shared.losses.with_gradient import blockwise_loss, row_blocks


def mean_square_sigmoid(a: Tensor, b: Tensor, rows: int = 512) -> Tensor:
    """
    Average ``sigmoid(a_i . b_j)^2`` over all pairs in O(rows x m) memory.

    Parameters
    ----------
    a, b
        n x d and m x d.
    rows
        Rows of `a` at a time.
    """

    def block(part: slice, x: Tensor, y: Tensor) -> Tensor:
        return torch.sigmoid(x[part] @ y.T).square().sum()

    total = blockwise_loss(block, [a, b], row_blocks(len(a), rows))
    return (total / (len(a) * len(b))).to(a.dtype)


class GraphLoss:
    """
    Mean square error of sigmoid(h_i . p_j) against a binary directed graph.

    With s the sigmoids it equals mean s^2 + (1/N^2) sum over edges (1 - 2 s). The second part
    is exact in O(edges); the first runs over all pairs in row blocks up to `exact_up_to` cells
    and above that over a fresh random block of rows and columns per step, which is unbiased
    because every ordered pair is equally likely.

    Parameters
    ----------
    neighbours
        Targets of each cell, cells x k.
    exact_up_to
        Largest number of cells for which all pairs are visited.
    generator
        Draws the blocks.
    sample
        Rows and columns of a random block.
    """

    def __init__(
        self,
        neighbours: Tensor,
        exact_up_to: int,
        generator: torch.Generator,
        sample: tuple[int, int] = (1024, 4096),
    ) -> None:
        self.n, self.k = neighbours.shape
        self.targets = neighbours.reshape(-1)
        self.exact = self.n <= exact_up_to
        self.generator = generator
        self.sample = sample

    def __call__(self, left: Tensor, right: Tensor) -> Tensor:
        """Evaluate for ``left`` = h M and ``right`` = h, both cells x d."""
        sources = left[:, None, :]
        logits = (sources * right.index_select(0, self.targets).view(self.n, self.k, -1)).sum(2)
        edges = (1 - 2 * torch.sigmoid(logits)).sum() / self.n**2
        if self.exact:
            return mean_square_sigmoid(left, right) + edges
        rows, columns = (self._draw(count) for count in self.sample)
        return mean_square_sigmoid(left[rows], right[columns]) + edges

    def _draw(self, count: int) -> Tensor:
        """Draw distinct cells."""
        order = torch.randperm(self.n, generator=self.generator)[:count]
        return order.to(self.targets.device)
