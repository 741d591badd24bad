"""The losses of scRCL against literal sums, and their gradients against finite differences."""

from __future__ import annotations

import numpy as np
import pytest
import scipy.sparse as sp
import torch
from scipy.special import rel_entr, softmax
from torch.nn.functional import normalize

from methods.contract import Job
from methods.scrcl.inputs import Inputs
from methods.scrcl.losses import CellGraph, alignment
from methods.scrcl.model import Model
from tests.methods.toys import params, random_graph

WEIGHT = 3.0


def views(n: int = 20, width: int = 12, seed: int = 0) -> tuple[torch.Tensor, torch.Tensor]:
    drawn = np.random.default_rng(seed).normal(size=(2, n, width))
    first, second = torch.tensor(drawn).unbind()
    return first.relu(), second


def graph(n: int = 20, seed: int = 0) -> sp.csr_matrix:
    return sp.csr_matrix(random_graph(n, 0.2, seed))


def unit(x: torch.Tensor) -> np.ndarray:
    return normalize(x, dim=1).detach().numpy()


def jeffreys(p: np.ndarray, q: np.ndarray) -> float:
    return float(rel_entr(p, q).sum() + rel_entr(q, p).sum())


def global_term(e1: np.ndarray, e2: np.ndarray, t: float) -> float:
    return jeffreys(softmax(e1 / t), softmax(e2 / t))


def cell_term(e1: np.ndarray, e2: np.ndarray, t: float) -> float:
    rows = zip(softmax(e1 / t, axis=1), softmax(e2 / t, axis=1), strict=True)
    return sum(jeffreys(p, q) for p, q in rows) / (2 * len(e1))


def contrast(e1: np.ndarray, e2: np.ndarray, edges: np.ndarray, t: float) -> float:
    p, q = softmax(e1 / t, axis=1), softmax(e2 / t, axis=1)
    n, ratios = len(p), []
    for i in range(n):
        near, far = jeffreys(p[i], q[i]), 0.0
        for j in range(n):
            if j != i:
                divergence = jeffreys(p[i], q[j])
                far += divergence
                near += divergence * edges[i, j]
        ratios.append((near / (edges[i].sum() + 1)) / (far / (n - 1)))
    return float(np.mean(ratios))


def dense(x1, x2, edges, t):
    """Both losses by torch on cells x cells x width arrays."""
    e1, e2 = normalize(x1, dim=1), normalize(x2, dim=1)
    p, q = (e1 / t).softmax(dim=1), (e2 / t).softmax(dim=1)
    far = p.log()[:, None] - q.log()[None]
    d = ((p[:, None] - q[None]) * far).sum(dim=2)
    near = (d.diagonal() + (edges * d).sum(dim=1)) / (edges.sum(dim=1) + 1)
    ratio = near / ((d.sum(dim=1) - d.diagonal()) / (len(d) - 1))
    a, b = ((e / t).flatten().softmax(dim=0) for e in (e1, e2))
    return ((a - b) * (a / b).log()).sum() + d.diagonal().mean() / 2, ratio.mean()


@pytest.mark.parametrize("t", [0.1, 1.0])
def test_contrast_equals_a_double_loop(t):
    """The linear form is the literal sum over pairs of cells."""
    x1, x2 = views()
    found = alignment(x1, x2, CellGraph(graph()), t, WEIGHT)["neighbours"].item()
    expected = contrast(unit(x1), unit(x2), graph().toarray(), t)
    assert found == pytest.approx(WEIGHT * expected, rel=1e-9)


@pytest.mark.parametrize("t", [0.1, 1.0])
def test_gradient_equals_finite_differences_and_dense_arrays(t):
    """The gradient made on the way is that of both losses together."""
    x1, x2 = (x.clone().requires_grad_() for x in views(8, 5))
    x1.data += 0.05  # away from rows of zeros
    cells = CellGraph(graph(8))

    def total(a, b):
        return torch.stack(list(alignment(a, b, cells, t, WEIGHT).values())).sum()

    assert torch.autograd.gradcheck(total, (x1, x2), atol=1e-6)
    found = torch.autograd.grad(total(x1, x2), (x1, x2))
    first, second = dense(x1, x2, torch.tensor(graph(8).toarray()), t)
    expected = torch.autograd.grad(first + WEIGHT * second, (x1, x2))
    for one, other in zip(found, expected, strict=True):
        torch.testing.assert_close(one, other, rtol=1e-8, atol=1e-12)


def test_gradient_over_several_blocks_of_cells_equals_the_dense_one():
    """More cells than one block holds, columns in more than one strip."""
    x1, x2 = (x.clone().requires_grad_() for x in views(300, 130, seed=3))
    edges = graph(300, seed=3)
    losses = alignment(x1, x2, CellGraph(edges), 0.1, WEIGHT)
    found = torch.autograd.grad(losses["distribution"] + losses["neighbours"], (x1, x2))
    first, second = dense(x1, x2, torch.tensor(edges.toarray()), 0.1)
    expected = torch.autograd.grad(first + WEIGHT * second, (x1, x2))
    for one, other in zip(found, expected, strict=True):
        torch.testing.assert_close(one, other, rtol=1e-8, atol=1e-12)


def test_single_precision_is_enough_where_all_cells_look_alike():
    """Small divergences keep their digits in float32."""
    x1, x2 = views(200, 64)
    x1, x2 = (1.0 + 1e-2 * x for x in (x1, x2))
    edges = graph(200)
    exact = alignment(x1, x2, CellGraph(edges), 1.0, 1.0)
    single = CellGraph(edges.astype(np.float32))
    found = alignment(x1.float(), x2.float(), single, 1.0, 1.0)
    for name, value in exact.items():
        assert found[name].item() == pytest.approx(value.item(), rel=1e-3), name


@pytest.mark.parametrize("t", [0.1, 1.0])
def test_distribution_equals_entropies(t):
    """Global and cell divergence against scipy; symmetric in the views."""
    x1, x2 = views()
    cells = CellGraph(graph())
    found = alignment(x1, x2, cells, t, WEIGHT)["distribution"].item()
    e1, e2 = unit(x1), unit(x2)
    assert found == pytest.approx(global_term(e1, e2, t) + cell_term(e1, e2, t), rel=1e-9)
    swapped = alignment(x2, x1, cells, t, WEIGHT)["distribution"].item()
    assert swapped == pytest.approx(found, rel=1e-9)


def shifted(level: np.ndarray) -> tuple[torch.Tensor, torch.Tensor]:
    """Two sets of unit rows that differ by a constant within each row: 2 level / sqrt(width)."""
    rows = np.random.default_rng(5).normal(size=(len(level), 9))
    rows -= rows.mean(axis=1, keepdims=True)
    rows *= np.sqrt(1 - level**2)[:, None] / np.linalg.norm(rows, axis=1, keepdims=True)
    constant = level[:, None] / 3.0
    return torch.tensor(rows + constant), torch.tensor(rows - constant)


def test_distribution_vanishes_only_where_it_should():
    """One shift for all cells is not seen; one per cell only by the global part."""
    cells = CellGraph(graph())

    def found(pair):
        return alignment(*pair, cells, 0.5, 0.0)["distribution"].item()

    same = views()[0]
    assert found((same, same)) == pytest.approx(0, abs=1e-14)
    assert found(shifted(np.full(20, 0.6))) == pytest.approx(0, abs=1e-12)
    by_cell = shifted(np.linspace(-0.5, 0.7, 20))
    assert cell_term(unit(by_cell[0]), unit(by_cell[1]), 0.5) == pytest.approx(0, abs=1e-14)
    expected = global_term(unit(by_cell[0]), unit(by_cell[1]), 0.5)
    assert found(by_cell) == pytest.approx(expected, rel=1e-9)
    assert expected > 1e-3
    assert found(views()) > 1e-3


def test_equal_embeddings_give_finite_losses():
    """Numerator and denominator of the contrast both vanish."""
    same = torch.ones(20, 6, dtype=torch.float64, requires_grad=True)
    losses = alignment(same, same.detach().clone(), CellGraph(graph()), 0.1, 100.0)
    (gradient,) = torch.autograd.grad(losses["distribution"], same)
    assert all(np.isfinite(value.item()) for value in losses.values())
    assert torch.isfinite(gradient).all()


def test_contrast_starts_near_one():
    """Unrelated views are as far from neighbours as from all others."""
    x1, x2 = views(200, 50)
    found = alignment(x1, x2, CellGraph(graph(200)), 0.1, 1.0)["neighbours"].item()
    assert found == pytest.approx(1, abs=0.02)


def test_consistency_equals_the_mean_over_all_pairs():
    """The Gram form against the explicit square."""
    edges = graph()
    features = sp.csr_matrix(np.eye(20, 6, dtype=np.float32))
    genes = sp.csr_matrix(np.eye(6, dtype=np.float32))
    inputs = Inputs(features, edges.astype(np.float32), genes)
    model = Model(inputs, 3, params("scrcl", width=4), Job(0, 3))
    z1, z2 = (normalize(x.float(), dim=1) for x in views())
    expected = (z1 @ z2.T - torch.tensor(edges.toarray()) - torch.eye(20)).square().mean()
    assert model.consistency(z1, z2).item() == pytest.approx(expected.item(), rel=1e-5)
