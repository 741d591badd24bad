"""stMFG's contrast between views, in blocks and drawn."""

from __future__ import annotations

import math
from functools import partial

import numpy as np
import pytest
import scipy.sparse as sp
import torch
from torch.nn.functional import cross_entropy, normalize

from methods.shared.losses.with_gradient import row_blocks
from methods.stmfg import losses
from methods.stmfg.losses import ViewContrast
from tests.methods.toys import leaves, random_graph, same_gradients


def contrast(n: int, drawn: int | None = None, graph=None, t: float = 0.5, seed: int = 0):
    """All pairs, or `drawn` cells a step."""
    generator = torch.Generator().manual_seed(seed)
    exact = n if drawn is None else 0
    return ViewContrast(n, graph, t, exact, drawn or n, generator)


def dense(first, second, t: float = 0.5, graph: np.ndarray | None = None) -> torch.Tensor:
    """Cross-entropy on the whole matrix of similarities, in both directions."""
    similarity = normalize(first, dim=1) @ normalize(second, dim=1).T / t
    if graph is not None:
        similarity = similarity.masked_fill(torch.tensor(graph > 0), -math.inf)
    own = torch.arange(len(first))
    return (cross_entropy(similarity, own) + cross_entropy(similarity.T, own)) / 2


@pytest.mark.parametrize("t", [0.05, 0.5, 2.0])
@pytest.mark.parametrize("n", [1, 5, 64])
def test_contrast_of_orthonormal_views(n, t):
    """Equal orthonormal views give log(1 + (N - 1) exp(-1 / t))."""
    eye = torch.eye(n, dtype=torch.float64)
    expected = math.log1p((n - 1) * math.exp(-1 / t))
    assert contrast(n, t=t)(eye, 3 * eye).item() == pytest.approx(expected, abs=1e-12)


@pytest.mark.parametrize("rows", [1, 33, 1000])
def test_contrast_by_blocks_equals_whole(rows, monkeypatch):
    """Values and gradients, any number of rows at a time."""
    monkeypatch.setattr(losses, "row_blocks", partial(row_blocks, rows=rows))
    pair = leaves((150, 7), (150, 7))
    same_gradients(contrast(150)(*pair), dense(*pair), pair)
    single = contrast(150)(*(x.detach().float() for x in pair)).item()
    assert single == pytest.approx(dense(*pair).item(), abs=1e-6)


def test_contrast_with_all_drawn_is_exact():
    """In any order of drawing, with and without masked neighbours."""
    pair, graph = leaves((90, 5), (90, 5)), random_graph(90)
    for mask in (None, graph):
        left_out = None if mask is None else sp.csr_matrix(mask)
        loss = contrast(90, 90, left_out)
        assert not loss.exact
        same_gradients(loss(*pair), dense(*pair, graph=mask), pair)


def test_contrast_of_some_drawn_is_close_on_average():
    """Over 200 draws of N / 4 within 1 %, slightly low; each step draws anew."""
    pair = [x.detach() for x in leaves((120, 6), (120, 6))]
    for mask in (None, random_graph(120, 0.2)):
        loss = contrast(120, 30, None if mask is None else sp.csr_matrix(mask))
        found = [loss(*pair).item() for _ in range(200)]
        assert np.mean(found) == pytest.approx(dense(*pair, graph=mask).item(), rel=0.01)
        assert len(set(found)) > 190
    again = contrast(120, 30, sp.csr_matrix(mask))
    assert again(*pair).item() == found[0]


def test_gradient_of_some_drawn_is_that_of_the_value():
    """The gradient that is written out, against finite differences."""
    pair = leaves((40, 4), (40, 4))
    graph = sp.csr_matrix(random_graph(40, 0.1))
    assert torch.autograd.gradcheck(lambda u, v: contrast(40, 11, graph)(u, v), pair)


def test_masked_neighbours_are_no_negatives():
    """Rows compare with themselves and with what is no neighbour; all masked gives 0."""
    pair, graph = leaves((60, 5), (60, 5)), random_graph(60, 0.2)
    same_gradients(contrast(60, graph=sp.csr_matrix(graph))(*pair), dense(*pair, graph=graph), pair)
    everyone = sp.csr_matrix(1 - np.eye(60))
    for drawn in (None, 10):
        assert contrast(60, drawn, everyone)(*pair).item() == pytest.approx(0, abs=1e-12)


def test_rows_of_zeros_and_low_temperatures_stay_finite():
    """In single precision down to the least temperature the card allows."""
    pair = [torch.randn(50, 4, requires_grad=True) for _ in range(2)]
    with torch.no_grad():
        pair[0][:5] = 0
        pair[1][7:] = -pair[0][7:]
    for drawn in (None, 12):
        loss = contrast(50, drawn, t=0.02)(*pair)
        assert torch.isfinite(loss)
        assert all(torch.isfinite(g).all() for g in torch.autograd.grad(loss, pair))
