"""Losses over all pairs of spots against their definitions, exact and in closed form."""

from __future__ import annotations

import math
from functools import partial

import numpy as np
import pytest
import scipy.sparse as sp
import torch
from torch.nn.functional import cosine_similarity, softplus

from methods.shared.losses import graph as graph_losses
from methods.shared.losses.graph import CosineGraphLoss, softplus_exact
from methods.shared.losses.with_gradient import row_blocks
from tests.methods.toys import leaves, random_graph, same_gradients


def drawn(*shape: int, seed: int = 0) -> torch.Tensor:
    return torch.tensor(np.random.default_rng(seed).normal(size=shape))


def literal(z: torch.Tensor, s: torch.Tensor) -> torch.Tensor:
    """Evaluate the definition on N x N arrays, with c_ii = 0."""
    c = cosine_similarity(z[:, None], z[None], dim=2)
    c = c * (1 - torch.eye(len(z), dtype=z.dtype))
    inside = s * torch.sigmoid(c).log() + (1 - s) * (1 - torch.sigmoid(c)).log()
    return -inside.sum() / (2 * len(z) ** 2)


@pytest.mark.parametrize("diagonal", [0.0, 1.0])
def test_spatial_loss_equals_its_definition(diagonal):
    """On 200 spots and a random graph, with and without ones on its diagonal."""
    z, s = drawn(200, 9).requires_grad_(), random_graph(200)
    loss = CosineGraphLoss(sp.csr_matrix(s), 200)
    assert loss.exact
    expected = literal(z, torch.tensor(s + diagonal * np.eye(200)))
    found = loss(z)
    assert abs(found.item() - expected.item()) < 1e-10
    pairs = (torch.autograd.grad(x, z)[0] for x in (found, expected))
    torch.testing.assert_close(*pairs, rtol=1e-7, atol=1e-12)


@pytest.mark.parametrize("rows", [1, 33, 1000])
def test_spatial_loss_by_blocks_equals_whole(rows, monkeypatch):
    """Any number of rows at a time."""
    monkeypatch.setattr(graph_losses, "row_blocks", partial(row_blocks, rows=rows))
    z, s = drawn(200, 9), random_graph(200)
    found = CosineGraphLoss(sp.csr_matrix(s), 200)(z).item()
    assert found == pytest.approx(literal(z, torch.tensor(s)).item(), abs=1e-10)


@pytest.mark.parametrize("shift", [0.0, 1.0, 5.0])
def test_spatial_loss_in_closed_form_is_close(shift):
    """Value within 3e-4, direction of the gradient within a percent."""
    z, s = (drawn(200, 9) + shift).requires_grad_(), random_graph(200)
    exact, closed = (CosineGraphLoss(sp.csr_matrix(s), n) for n in (200, 100))
    assert not closed.exact
    values = [loss(z) for loss in (exact, closed)]
    assert abs(values[0].item() - values[1].item()) < 3e-4
    one, other = (torch.autograd.grad(value, z)[0].flatten() for value in values)
    assert cosine_similarity(one, other, dim=0) > 0.99


def test_spatial_loss_of_orthogonal_spots_and_of_scaled_rows():
    """It is log(2) / 2 without edges; the length of a row does not matter."""
    empty = sp.csr_matrix((8, 8))
    found = CosineGraphLoss(empty, 8)(torch.eye(8, dtype=torch.float64)).item()
    assert found == pytest.approx(math.log(2) / 2, rel=1e-12)
    z, s = drawn(8, 5), sp.csr_matrix(random_graph(8, density=0.4))
    scale = torch.tensor(np.random.default_rng(0).uniform(0.1, 9, (8, 1)))
    for exact_up_to in (8, 0):
        loss = CosineGraphLoss(s, exact_up_to)
        assert loss(scale * z).item() == pytest.approx(loss(z).item(), rel=1e-12)


def test_rows_of_zeros_have_no_direction():
    """Their cosines count as 0, exactly as in the definition."""
    z, s = drawn(30, 4), random_graph(30, density=0.3)
    z[:5] = 0
    expected = literal(z, torch.tensor(s)).item()
    assert CosineGraphLoss(sp.csr_matrix(s), 30)(z).item() == pytest.approx(expected, abs=1e-12)
    assert CosineGraphLoss(sp.csr_matrix(s), 0)(z).item() == pytest.approx(expected, abs=3e-4)


def test_spatial_loss_identity_and_closed_form():
    """Split into edges and all pairs it is the definition; in closed form within 6e-4."""
    (z,), s = leaves((200, 9)), random_graph(200)
    exact, closed = (CosineGraphLoss(sp.csr_matrix(s), n) for n in (200, 0))
    expected = literal(z, torch.tensor(s))
    same_gradients(exact(z), expected, [z])
    assert closed(z).item() == pytest.approx(expected.item(), abs=6e-4)
    pair = [torch.autograd.grad(loss(z), z)[0].flatten() for loss in (exact, closed)]
    assert cosine_similarity(*pair, dim=0) > 0.99


@pytest.mark.parametrize("rows", [7, 256])
def test_softplus_over_all_pairs_equals_the_dense_sum_and_its_gradients(rows, monkeypatch):
    """Of different spots, some products far above 0 and some far below."""
    monkeypatch.setattr(graph_losses, "row_blocks", partial(row_blocks, rows=rows))
    (u,) = leaves((40, 5))
    products = 9 * u @ u.T
    assert products.min() < -20
    others = softplus(products).sum() - softplus(products.diagonal()).sum()
    same_gradients(softplus_exact(3 * u), others, [u])


def test_softplus_survives_large_products():
    """In single precision, where the exponential of a product overflows."""
    u = torch.full((4, 1), 30.0, requires_grad=True)
    value = softplus_exact(u)
    assert value.item() == pytest.approx(12 * 900)
    (gradient,) = torch.autograd.grad(value, u)
    torch.testing.assert_close(gradient, torch.full((4, 1), 180.0))
