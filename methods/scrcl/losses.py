"""Losses between two views of the same cells, and their gradients, in linear memory.

With P, Q the row softmaxes of the unit rows e1, e2 at temperature t, the Jeffreys divergence of
two rows is ``D_ij = (P_i - Q_j) . (e1_i - e2_j) / t``: normalising constants cancel because rows
sum to one. Any weighted sum of D over pairs therefore needs only sums over rows and products
with the graph. D stays the same when one row is taken off e1 and e2 alike, or off P and Q; taking
off their means keeps float32 exact enough where all cells look alike.

The gradient is written out, over blocks of cells. The plain formula, autograd of the same linear
form (`benchmarks/plain.py`), takes 1.4 times as long at 20,000 cells and 3.7 instead of 2.4 GiB.
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
import scipy.sparse as sp
import torch
from torch import Tensor

from methods.shared.losses.with_gradient import with_gradient
from methods.shared.nn.sparse import TiledMatrix
from methods.shared.training.device import cache_blocks

GUARD = 1e-12  # on the divergence of an average pair: 0/0 where all embeddings coincide


class CellGraph:
    """
    A symmetric 0/1 graph without loops, ready for products.

    Parameters
    ----------
    graph
        cells x cells.
    device
        Torch device.
    """

    def __init__(self, graph: sp.csr_matrix, device: str = "cpu") -> None:
        self.edges = TiledMatrix(graph, device)
        degree = np.asarray(graph.sum(axis=1), dtype=np.float64).ravel()
        self.degree = torch.as_tensor(degree, device=device)


class View(NamedTuple):
    """One view: unit rows and their softmax, both without the common mean row."""

    length: Tensor  # norms of the rows given, n x 1
    e: Tensor  # n x d
    p: Tensor  # n x d
    share: Tensor  # mass of each row in a softmax over all entries, n

    @staticmethod
    def of(x: Tensor, temperature: float) -> View:
        """Normalise rows and take both softmaxes; nothing is taken off yet."""
        e, p = torch.empty_like(x), torch.empty_like(x)
        length, mass = x.new_empty(len(x), 1), x.new_empty(len(x))
        for b in cache_blocks(x):
            length[b] = torch.linalg.vector_norm(x[b], dim=1, keepdim=True).clamp_min(1e-12)
            torch.div(x[b], length[b], out=e[b])
            logits = e[b] / temperature
            torch.softmax(logits, dim=1, out=p[b])
            mass[b] = logits.amax(dim=1) - p[b].amax(dim=1).log()
        return View(length, e, p, torch.softmax(mass.double(), dim=0).to(x.dtype))


def _dot(a: Tensor, b: Tensor) -> Tensor:
    return torch.linalg.vecdot(a, b).double()


def _take_off_mean(a: Tensor, b: Tensor) -> Tensor:
    """Take the mean row of both off both, in place, and return it."""
    mean = sum(x[s].sum(dim=0).double() for x in (a, b) for s in cache_blocks(a))
    row = (torch.as_tensor(mean) / (2 * len(a))).to(a.dtype)
    a.sub_(row)
    b.sub_(row)
    return row


def _total(x: Tensor, weight: Tensor | None = None) -> Tensor:
    """Sum rows, weighted, over blocks in double precision."""
    total = torch.zeros(x.shape[1], dtype=torch.float64, device=x.device)
    for b in cache_blocks(x):
        total += x[b].sum(dim=0) if weight is None else weight[b].to(x.dtype) @ x[b]
    return total.to(x.dtype)


class _Pairs(NamedTuple):
    """What the neighbourhood contrast leaves for its gradient."""

    near: Tensor  # derivative by the sum over a cell and its neighbours, n
    far: Tensor  # derivative by the sum over all other cells, n
    around_e: Tensor  # graph times e of the second view, n x d
    around_p: Tensor  # graph times p of the second view, n x d


def _contrast(one: View, two: View, graph: CellGraph, t: float) -> tuple[Tensor, _Pairs]:
    """Average over cells the divergence from the neighbourhood over that from the others."""
    n = len(one.e)
    around_e, around_p = graph.edges @ two.e, graph.edges @ two.p
    sum_e, sum_p = _total(two.e), _total(two.p)
    u, v, own, cross, every = (graph.degree.new_empty(n) for _ in range(5))
    for b in cache_blocks(one.e):
        e, p = one.e[b], one.p[b]
        u[b], v[b] = _dot(p, e), _dot(two.p[b], two.e[b])
        own[b] = _dot(p - two.p[b], e - two.e[b])
        cross[b] = _dot(p, around_e[b]) + _dot(e, around_p[b])
        every[b] = (p @ sum_e + e @ sum_p).double()
    near = (own + graph.degree * u - cross + graph.edges.matrix.forward.double() @ v) / t
    far = (n * u - every + v.sum() - own) / t
    scale = max(n - 1, 1) / (n * (graph.degree + 1))
    far = far.clamp_min(0) + GUARD * n
    d_near = scale / far
    pairs = _Pairs(d_near, -scale * near / far**2, around_e, around_p)
    return (d_near * near).sum(), pairs


class _Weights(NamedTuple):
    """Row and column sums of the derivative by D, and its products with the other view."""

    rows: Tensor
    columns: Tensor
    own: Tensor
    near: Tensor
    far: Tensor
    sums: tuple[Tensor, Tensor, Tensor, Tensor]  # of e2, p2, far * e1, far * p1
    from_e: Tensor  # graph^T (near * e1)
    from_p: Tensor


def _weights(pairs: _Pairs, one: View, two: View, graph: CellGraph, weight: float) -> _Weights:
    n, dtype = len(one.e), one.e.dtype
    near, far = weight * pairs.near, weight * pairs.far
    spread = graph.edges.matrix.transposed.double() @ near
    rows = near - far + near * graph.degree + n * far
    columns = near - far + spread + far.sum()
    sums = (_total(two.e), _total(two.p), _total(one.e, far), _total(one.p, far))
    from_e = graph.edges.transposed_by_scaled(one.e, near)
    from_p = graph.edges.transposed_by_scaled(one.p, near)
    own, near, far, rows, columns = (
        w.to(dtype)[:, None] for w in (near - far, near, far, rows, columns)
    )
    return _Weights(rows, columns, own, near, far, sums, from_e, from_p)


def _distribution(one: View, two: View, p_mean: Tensor, t: float) -> tuple[Tensor, Tensor]:
    """Return for each view sum p . (e1 - e2) by row; the loss follows from them."""
    first, second = (one.share.new_empty(len(one.e), dtype=torch.float64) for _ in range(2))
    for b in cache_blocks(one.e):
        gap = one.e[b] - two.e[b]
        common = (gap @ p_mean).double()
        first[b] = _dot(one.p[b], gap) + common
        second[b] = _dot(two.p[b], gap) + common
    return first, second


def _gradient(
    one: View,
    two: View,
    means: tuple[Tensor, Tensor],
    dots: tuple[Tensor, Tensor],
    pairs: _Pairs,
    weights: _Weights,
    t: float,
) -> tuple[Tensor, Tensor]:
    """Differentiate by the rows given, in the place of the graph products; uses up the views."""
    n, w, dtype = len(one.e), weights, one.e.dtype
    sum_e2, sum_p2, sum_e1, sum_p1 = w.sums
    half = 0.5 / n
    sides = []
    for view, dot in zip((one, two), dots, strict=True):
        share = view.share.double()
        offset = share * (share * dot).sum() + half * dot
        sides.append(((share + half).to(dtype)[:, None], offset.to(dtype)[:, None]))
    (w1, off1), (w2, off2) = sides
    for b in cache_blocks(one.e):
        e1, e2, p1, p2 = one.e[b], two.e[b], one.p[b], two.p[b]
        gap = e1 - e2
        own, near, far = w.own[b], w.near[b], w.far[b]
        by_p1 = _less(w.rows[b] * e1, (own, e2), (near, pairs.around_e[b]), (far, sum_e2))
        by_e1 = _less(w.rows[b] * p1, (own, p2), (near, pairs.around_p[b]), (far, sum_p2))
        by_p2 = _less(w.columns[b] * e2, (own, e1)).sub_(w.from_e[b]).sub_(sum_e1)
        by_e2 = _less(w.columns[b] * p2, (own, p1)).sub_(w.from_p[b]).sub_(sum_p1)
        for x, mean in ((e1, means[0]), (e2, means[0]), (p1, means[1]), (p2, means[1])):
            x.add_(mean)
        direct = _less(w1[b] * p1, (w2[b], p2))
        by_e1.add_(direct).add_(_softmax_gradient(p1, by_p1, w1[b], gap, off1[b]), alpha=1 / t)
        by_e2.sub_(direct).add_(_softmax_gradient(p2, by_p2, -w2[b], gap, -off2[b]), alpha=1 / t)
        for view, unit, by, out in (
            (one, e1, by_e1, pairs.around_e),
            (two, e2, by_e2, pairs.around_p),
        ):
            along = torch.linalg.vecdot(by, unit)[:, None]
            torch.div(_less(by, (along, unit)), view.length[b] * t, out=out[b])
    return pairs.around_e, pairs.around_p


def _less(total: Tensor, *products: tuple[Tensor, Tensor]) -> Tensor:
    """Take products off, in place and without forming them."""
    for first, second in products:
        total.addcmul_(first, second, value=-1)
    return total


def _softmax_gradient(
    p: Tensor, pairs: Tensor, weight: Tensor, gap: Tensor, mean: Tensor
) -> Tensor:
    """Pass derivatives by p back to the logits; `mean` is that of ``weight * gap`` by p."""
    inner = torch.linalg.vecdot(p, pairs)[:, None]
    return pairs.addcmul_(weight, gap).sub_(inner + mean).mul_(p)


def alignment(
    x1: Tensor, x2: Tensor, graph: CellGraph, temperature: float, weight: float
) -> dict[str, Tensor]:
    """
    Align two views as distributions, and contrast neighbours with all other cells across them.

    Parameters
    ----------
    x1, x2
        Embeddings of the same cells, cells x d; rows are scaled to unit length here.
    graph
        Neighbours, cells x cells.
    temperature
        Of the softmaxes.
    weight
        Of the contrast (lambda 1).

    Returns
    -------
    ``distribution``: symmetric divergence of the softmaxes over all entries plus half the mean
    one of rows. ``neighbours``: `weight` times the mean over cells of the average divergence
    from its own other view and its neighbours', over that from all other cells. Only the first
    carries a gradient, that of both together.

    Notes
    -----
    Peng et al., arXiv 2512.10640: distribution and neighbourhood losses.
    """
    dtype, t, trained = x1.dtype, temperature, torch.is_grad_enabled() and x1.requires_grad
    with torch.no_grad():
        one, two = View.of(x1, t), View.of(x2, t)
        e_mean, p_mean = _take_off_mean(one.e, two.e), _take_off_mean(one.p, two.p)
        dots = _distribution(one, two, p_mean, t)
        shares = [view.share.double() + 0.5 / len(x1) for view in (one, two)]
        distribution = ((shares[0] * dots[0] - shares[1] * dots[1]).sum() / t).to(dtype)
        contrast, pairs = _contrast(one, two, graph, t)
        losses = {"distribution": distribution, "neighbours": (weight * contrast).to(dtype)}
        if not trained:
            return losses
        weights = _weights(pairs, one, two, graph, weight)
        gradients = _gradient(one, two, (e_mean, p_mean), dots, pairs, weights, t)
    return losses | {"distribution": with_gradient(distribution, [x1, x2], gradients)}
