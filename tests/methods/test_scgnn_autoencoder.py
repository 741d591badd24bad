"""scGNN's autoencoder: losses, gradients, units at rest."""

from __future__ import annotations

import pytest
import scipy.sparse as sp
import torch

from methods.scgnn import blocks as in_blocks
from methods.scgnn.autoencoder import Autoencoder
from methods.scgnn.blocks import expression_blocks
from methods.scgnn.compact import LEAST_CELLS, compact
from methods.scgnn.ltmg import ltmg_states
from methods.shared.expression.counts import log1p
from methods.shared.training.seeding import torch_stream
from tests.methods.toys import cells


def weighted() -> tuple[sp.csr_matrix, sp.csr_matrix]:
    """Logarithms and states of the planted cells, 90 x 60."""
    counts = cells()[0].counts
    return log1p(counts), ltmg_states(counts)


def network(genes: int, seed: int = 0) -> Autoencoder:
    return Autoencoder(genes, torch_stream(seed, "weights"))


def dense_loss(net: Autoencoder, x: torch.Tensor, weight: torch.Tensor) -> torch.Tensor:
    h, layers = x, list(net.layers)
    for w, b in zip(layers[::2], layers[1::2], strict=True):
        h = torch.relu(torch.nn.functional.linear(h, w, b))
    return (weight * (h - x).square()).sum()


@pytest.mark.parametrize("rows", [1, 7, 512])
@pytest.mark.parametrize("density", ["sparse", "dense"])
def test_summed_gradients_are_those_of_the_full_batch(rows, density, monkeypatch):
    """Values and gradients for every block size, input sparse or dense."""
    monkeypatch.setattr(in_blocks, "SPARSE_BELOW", 1.1 if density == "sparse" else 0.0)
    expression, states = weighted()
    net = network(60)
    blocks = expression_blocks(expression, states, 0.9, "cpu", rows)
    assert (blocks[0].sparse is not None) == (density == "sparse")
    x = torch.as_tensor(expression.toarray())
    weight = 0.1 + 0.9 * torch.as_tensor(states.toarray()).float()
    expected, value = dense_loss(net, x, weight), net.loss(blocks)
    torch.testing.assert_close(value, expected)
    wanted = torch.autograd.grad(expected, list(net.layers))
    for ours, theirs in zip(torch.autograd.grad(value, list(net.layers)), wanted, strict=True):
        torch.testing.assert_close(ours, theirs, rtol=1e-4, atol=1e-4)


def resting(genes: int) -> Autoencoder:
    """Return a network half of whose units and a quarter of whose output genes always rest."""
    net = network(genes)
    with torch.no_grad():
        for bias, share in zip(list(net.layers)[1::2], (2, 2, 2, 4), strict=True):
            bias[: len(bias) // share] = -100.0
    return net


@pytest.mark.parametrize("rows", [LEAST_CELLS, 70, 512])
@pytest.mark.parametrize("density", ["sparse", "dense"])
def test_units_at_rest_are_left_out_and_change_nothing(rows, density, monkeypatch):
    """Gradients of all weights, those of sleeping units and unseen genes included."""
    monkeypatch.setattr(in_blocks, "SPARSE_BELOW", 1.1 if density == "sparse" else 0.0)
    expression, _ = weighted()
    x = expression.toarray()
    x[:, ::5] = 0
    net = resting(60)
    kept = [compact(part).values.shape[1] for part in net(torch.as_tensor(x))]
    assert all(k <= share for k, share in zip(kept, (48, 256, 64, 256, 45), strict=True))
    value = net.loss(expression_blocks(sp.csr_matrix(x), None, 0.9, "cpu", rows))
    expected = dense_loss(net, torch.as_tensor(x), torch.tensor(0.1))
    torch.testing.assert_close(value, expected)
    wanted = torch.autograd.grad(2 * expected, list(net.layers))
    for ours, theirs in zip(torch.autograd.grad(2 * value, list(net.layers)), wanted, strict=True):
        torch.testing.assert_close(ours, theirs, rtol=1e-4, atol=1e-4)


def test_a_column_that_is_not_a_number_is_kept():
    """Leaving it out would hide a training that has failed."""
    values = torch.zeros(LEAST_CELLS, 20)
    values[0, 3], values[:, 5] = torch.nan, 1.0
    found = compact(values)
    assert found.columns.tolist() == [3, 5]
    assert found.values[0].isnan().tolist() == [True, False]


@pytest.mark.parametrize("density", ["sparse", "dense"])
def test_units_wake_when_their_weights_change(density, monkeypatch):
    """Gradients of every step of a training, among them some of woken units."""
    monkeypatch.setattr(in_blocks, "SPARSE_BELOW", 1.1 if density == "sparse" else 0.0)
    expression, _ = weighted()
    x = torch.as_tensor(expression.toarray())
    blocks, net = expression_blocks(expression, None, 0.9, "cpu", 70), resting(60)
    for woken in (0, 0, 3, 3):
        with torch.no_grad():
            net.layers[1][:woken] = 1.0
        wanted = torch.autograd.grad(dense_loss(net, x, torch.tensor(0.1)), list(net.layers))
        for ours, theirs in zip(torch.autograd.grad(net.loss(blocks), list(net.layers)), wanted,
                                strict=True):  # fmt: skip
            torch.testing.assert_close(ours, theirs, rtol=1e-4, atol=1e-4)
