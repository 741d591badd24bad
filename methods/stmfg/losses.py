"""Contrast of the same spots in two views, without an array of spots x spots."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
import scipy.sparse as sp
import torch
from torch import Tensor
from torch.nn.functional import normalize

from methods.shared.losses.with_gradient import with_gradient
from methods.shared.nn.matmul import multiply

ROWS = 256


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


def one_way_contrast(
    u: Tensor, v: Tensor, partners: Partners, temperature: float
) -> tuple[Tensor, Tensor, Tensor]:
    """
    Sum over spots ``-log(exp(u_i.v_i / t) / (exp(u_i.v_i / t) + rest_i))`` and differentiate.

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

    Returns
    -------
    The sum, float64, and its derivatives by `u` and `v`.
    """
    others = v[partners.drawn]
    by_u, by_v = torch.empty_like(u), torch.zeros_like(v)
    by_others = others.new_zeros(others.shape[::-1])  # d x m: no block is copied to be transposed
    total = torch.zeros((), dtype=torch.float64, device=u.device)
    for start in range(0, len(u), ROWS):
        rows = slice(start, min(start + ROWS, len(u)))
        x, own = u[rows], v[rows]
        # cosines are at most 1, so that nothing overflows below exp(0)
        mass = multiply(x, others.T).sub_(1).div_(temperature).exp_()
        row, column, weight = partners.block(rows)
        mass[row, column] = 0
        positive = (torch.linalg.vecdot(x, own) - 1) / temperature
        weight = weight.to(mass.dtype)
        bottom = positive.exp() + weight * mass.sum(dim=1)
        total += (bottom.log() - positive).sum(dtype=torch.float64)
        mass.mul_((weight / bottom / temperature)[:, None])
        pull = ((positive.exp() / bottom - 1) / temperature)[:, None]
        by_u[rows] = torch.addcmul(multiply(mass, others), pull, own)
        by_v[rows] = pull * x
        by_others += multiply(x.T, mass)
    return total, by_u, by_v.index_add_(0, partners.drawn, by_others.T)


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
        with torch.no_grad():
            partners = self.partners()
            forth, by_u, by_v = one_way_contrast(u, v, partners, self.temperature)
            back, more_v, more_u = one_way_contrast(v, u, partners, self.temperature)
            gradients = by_u.add_(more_u), by_v.add_(more_v)
        total = with_gradient(forth + back, [u, v], gradients)
        return (total / (2 * self.n)).to(first.dtype)
