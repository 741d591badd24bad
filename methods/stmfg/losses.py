"""Contrast of the same spots in two views, without an array of spots x spots."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
import scipy.sparse as sp
import torch
from torch import Tensor
from torch.nn.functional import normalize

from methods.shared.losses.with_gradient import blockwise_loss, row_blocks


class Partners(NamedTuple):
    """Which spots of the other view a step compares every spot with."""

    drawn: Tensor  # their indices, m
    position: Tensor  # position of every spot in `drawn`, -1 where it was not drawn
    offsets: Tensor  # rows of the pairs left out, CSR
    left_out: Tensor  # their columns; a spot's own pair is among them

    def block(self, rows: slice) -> tuple[Tensor, Tensor, Tensor]:
        """Return entries to blank in a block, rows x m, and what a drawn partner stands for."""
        n, m = len(self.position), len(self.drawn)
        offsets = self.offsets[rows.start : rows.stop + 1]
        degree = offsets.diff()
        row = torch.repeat_interleave(torch.arange(len(degree), device=degree.device), degree)
        column = self.position[self.left_out[offsets[0] : offsets[-1]]]
        row, column = row[column >= 0], column[column >= 0]
        kept = m - torch.bincount(row, minlength=len(degree))
        return row, column, (n - degree) / kept.clamp_min(1)


def one_way_contrast(u: Tensor, v: Tensor, partners: Partners, temperature: float) -> Tensor:
    """
    Sum over spots ``-log(exp(u_i.v_i / t) / (exp(u_i.v_i / t) + rest_i))``.

    ``rest_i`` is the sum of ``exp(u_i.v_j / t)`` over all partners j that are not left out, or,
    where partners were drawn, its estimate from the drawn ones.

    Parameters
    ----------
    u, v
        Rows of unit length, spots x d.
    partners
        Columns of `v` to compare with.
    temperature
        t.
    """

    def block(rows: slice, x: Tensor, y: Tensor, others: Tensor) -> Tensor:
        # cosines are at most 1, so that nothing overflows below exp(0)
        logits = (x[rows] @ others.T - 1) / temperature
        row, column, weight = partners.block(rows)
        logits[row, column] = -torch.inf
        own = (torch.linalg.vecdot(x[rows], y[rows]) - 1) / temperature
        rest = weight.to(logits.dtype) * logits.exp().sum(dim=1)
        return ((own.exp() + rest).log() - own).sum(dtype=torch.float64)

    others = v.index_select(0, partners.drawn)
    return blockwise_loss(block, [u, v, others], row_blocks(len(u)))


class ViewContrast:
    """
    Mean cross-entropy of finding a spot's other view among the other views of all spots.

    Parameters
    ----------
    left_out
        Graph without loops of pairs that are no negatives, cells x cells; None where all are.
    temperature
        Cosines are divided by it; 0.02 at least, so that single precision holds them.
    exact_up_to
        Cells up to which all pairs are visited, in blocks; above, every step draws `negatives`
        cells and compares all with these, weighted up. The estimate is a little low (the
        logarithm of a mean) and equals the exact loss when all cells are drawn.
    negatives
        Cells drawn.
    generator
        Draws them, on the CPU.
    n
        Cells.
    device
        Torch device.

    Notes
    -----
    Oord et al., arXiv 1807.03748; both directions as in Zhu et al., arXiv 2006.04131.
    """

    def __init__(
        self,
        n: int,
        left_out: sp.csr_matrix | None,
        temperature: float,
        exact_up_to: int,
        negatives: int,
        generator: torch.Generator,
        device: str = "cpu",
    ) -> None:
        pairs = sp.eye_array(n, dtype=np.float32, format="csr")
        if left_out is not None:
            pairs = sp.csr_matrix(pairs + left_out)
        self.offsets = torch.as_tensor(pairs.indptr.astype(np.int64), device=device)
        self.columns = torch.as_tensor(pairs.indices.astype(np.int64), device=device)
        self.temperature = temperature
        self.exact = n <= exact_up_to
        self.negatives = n if self.exact else min(negatives, n)
        self.generator = generator
        self.n = n

    def partners(self) -> Partners:
        """Take all cells, or draw some for this step."""
        device = self.offsets.device
        drawn = torch.arange(self.n)
        if not self.exact:
            drawn = torch.randperm(self.n, generator=self.generator)[: self.negatives]
        position = torch.full((self.n,), -1)
        position[drawn] = torch.arange(len(drawn))
        return Partners(drawn.to(device), position.to(device), self.offsets, self.columns)

    def __call__(self, first: Tensor, second: Tensor) -> Tensor:
        """Evaluate for both views, cells x d each."""
        u, v = normalize(first, dim=1), normalize(second, dim=1)
        partners, t = self.partners(), self.temperature
        total = one_way_contrast(u, v, partners, t) + one_way_contrast(v, u, partners, t)
        return (total / (2 * self.n)).to(first.dtype)
