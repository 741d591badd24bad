"""scGNN's autoencoder: losses, gradients, blocks of cells and the memory they take."""

from __future__ import annotations

import numpy as np
import pytest
import scipy.sparse as sp
import torch
from torch.utils._python_dispatch import TorchDispatchMode

from methods.scgnn import blocks as in_blocks
from methods.scgnn import gradient
from methods.scgnn.autoencoder import Autoencoder
from methods.scgnn.blocks import (
    Output,
    expression_blocks,
    reconstruction_blocks,
    weighted_cells,
)
from methods.scgnn.compact import LEAST_CELLS, compact
from methods.scgnn.imputation import cell_weights
from methods.scgnn.ltmg import ltmg_states
from methods.shared.expression.counts import log1p
from methods.shared.training.loop import fused_adam
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


def test_graph_and_cluster_terms_are_weights_of_cells():
    """scGNN 7: sums of A E and B E against dense products, and their gradients."""
    rng = np.random.default_rng(0)
    upper = np.triu(rng.random((20, 20)) < 0.2, 1)
    adjacency = (upper | upper.T).astype(float)
    clusters = rng.integers(3, size=20)
    agree = (clusters[:, None] == clusters[None]).astype(float)
    a, b = torch.as_tensor(adjacency), torch.as_tensor(agree)
    e = torch.randn(20, 7, dtype=torch.float64, generator=torch_stream(0, "e"), requires_grad=True)
    expected = 0.3 * (a @ e.square()).sum() + 0.1 * (b @ e.square()).sum()
    weight = torch.as_tensor(cell_weights(adjacency.sum(axis=1), clusters, 0.3, 0.1))
    found = (weight[:, None] * e.square()).sum()
    torch.testing.assert_close(found, expected)
    torch.testing.assert_close(torch.autograd.grad(found, e), torch.autograd.grad(expected, e))


def test_weights_of_states():
    """scGNN 8: state 0 weighs 0.1, state 1 weighs 1, state 2 weighs 1.9."""
    values = sp.csr_matrix(np.ones((4, 3), dtype=np.float32))
    for state, expected in ((0, 0.1), (1, 1.0), (2, 1.9)):
        states = sp.csr_matrix((np.full(12, state, dtype=np.uint8), values.indices, values.indptr))
        block = expression_blocks(values, states, 0.9, "cpu").parts[0]
        torch.testing.assert_close(block.weight(), torch.full((4, 3), expected))
    plain = expression_blocks(values, None, 0.9, "cpu").parts[0]
    torch.testing.assert_close(plain.weight(), torch.tensor(0.1))
    empty = sp.csr_matrix((4, 3), dtype=np.float32)
    zeros = expression_blocks(empty, empty.astype(np.uint8), 0.9, "cpu").parts[0]
    torch.testing.assert_close(zeros.weight(), torch.full((4, 3), 0.1))


@pytest.mark.parametrize("rows", [1, 7, 512])
@pytest.mark.parametrize("density", ["sparse", "dense"])
def test_summed_gradients_are_those_of_the_full_batch(rows, density, monkeypatch):
    """scGNN 19: values and gradients for every block size, input sparse or dense."""
    monkeypatch.setattr(in_blocks, "SPARSE_BELOW", 1.1 if density == "sparse" else 0.0)
    expression, states = weighted()
    net = network(60)
    blocks = expression_blocks(expression, states, 0.9, "cpu", rows)
    assert (blocks.parts[0].sparse is not None) == (density == "sparse")
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
    """scGNN 19: gradients of all weights, those of sleeping units and unseen genes included."""
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
def test_units_known_to_rest_wake_when_their_weights_change(density, monkeypatch):
    """scGNN 19: gradients of every step of a training, among them some of woken units."""
    monkeypatch.setattr(in_blocks, "SPARSE_BELOW", 1.1 if density == "sparse" else 0.0)
    monkeypatch.setattr(gradient, "REMEMBER_FROM", 0)
    expression, _ = weighted()
    x = torch.as_tensor(expression.toarray())
    blocks, net = expression_blocks(expression, None, 0.9, "cpu", 70), resting(60)
    for woken in (0, 0, 3, 3):
        with torch.no_grad():
            net.layers[1][:woken] = 1.0
        seen = blocks.rest.awake(*net.layers[:2])
        assert seen is None or (
            len(seen) <= 256 + woken and set(range(woken)) <= set(seen.tolist())
        )
        wanted = torch.autograd.grad(dense_loss(net, x, torch.tensor(0.1)), list(net.layers))
        for ours, theirs in zip(torch.autograd.grad(net.loss(blocks), list(net.layers)), wanted,
                                strict=True):  # fmt: skip
            torch.testing.assert_close(ours, theirs, rtol=1e-4, atol=1e-4)
    assert seen is not None


@pytest.mark.parametrize("seen", [60, 0])
def test_a_reduced_network_trains_like_the_whole(seen):
    """A new optimiser leaves units and genes at rest alone; without any gene the biases learn."""
    expression, _ = weighted()
    x = expression.toarray()
    x[:, ::5] = x[:, seen:] = 0
    blocks = expression_blocks(sp.csr_matrix(x), None, 0.9, "cpu", 40)
    blocks = blocks._replace(parts=[b._replace(sparse=None) for b in blocks.parts])
    whole = resting(60)
    small = whole.reduced(blocks)
    assert small.layers[0].shape[0] <= 256
    assert small.layers[0].shape[1] == (48 if seen else 0)
    for net in (whole, small):
        optimiser = fused_adam(list(net.parameters()), 1e-3)
        for _ in range(20):
            optimiser.zero_grad()
            net.loss(blocks).backward()
            optimiser.step()
    for ours, theirs in zip(small.output(blocks), whole.output(blocks), strict=True):
        torch.testing.assert_close(ours, theirs, rtol=1e-3, atol=1e-4)


def test_small_clusters_share_a_block():
    one = torch.ones(1, 1)
    pieces = [
        Output(torch.full((n,), i), one.expand(n, 1), i * one.expand(n, 1), one, torch.zeros(1))
        for i, n in enumerate([20, 90, 30, 5, 300])
    ]
    blocks = reconstruction_blocks(pieces, 445, rows=256)
    assert [len(b.cells) for b in blocks.parts] == [140, 261, 44]
    for block in blocks.parts:
        assert torch.equal(block.values()[:, 0], block.cells.float())


class Largest(TorchDispatchMode):
    """Remembers the largest tensor any operation returned."""

    def __init__(self) -> None:
        super().__init__()
        self.numel = 0

    def __torch_dispatch__(self, func, types, args=(), kwargs=None):
        out = func(*args, **(kwargs or {}))
        for tensor in out if isinstance(out, tuple | list) else [out]:
            if isinstance(tensor, torch.Tensor):
                self.numel = max(self.numel, tensor.numel())
        return out


def test_memory_of_an_epoch_is_linear_in_cells(monkeypatch):
    """scGNN 19: no tensor of cells x genes or cells x cells above the size that fits."""
    monkeypatch.setattr(in_blocks, "DENSE_UP_TO", 0)
    sizes = []
    for n in (1000, 2000):
        rng = np.random.default_rng(0)
        values = sp.random(n, 1500, 0.02, format="csr", dtype=np.float32, random_state=rng)
        blocks = expression_blocks(values, None, 0.9, "cpu", rows=128)
        net = network(1500)
        with Largest() as seen:
            net.loss(blocks).backward()
            output = net.output(blocks)
            again = reconstruction_blocks([output], n, rows=128)
            net.loss(again).backward()
        sizes.append(seen.numel)
    assert sizes[0] < 1000 * 1000
    assert sizes[1] <= max(2 * sizes[0], 2000 * 513)


def test_weights_of_cells_replace_those_of_entries():
    expression, states = weighted()
    blocks = weighted_cells(expression_blocks(expression, states, 0.9, "cpu"),
                            torch.arange(90.0))  # fmt: skip
    net, x = network(60), torch.as_tensor(expression.toarray())
    torch.testing.assert_close(net.loss(blocks), dense_loss(net, x, torch.arange(90.0)[:, None]))


def test_outputs_land_on_their_cells():
    """scGNN 14: reconstructions stamped with the number of their cell."""
    order = torch.as_tensor(np.random.default_rng(0).permutation(20))
    pieces = []
    for part in (order[:13], order[13:]):
        stamp = part.float()[:, None]
        pieces.append(Output(part, stamp, stamp, torch.ones(4, 1), torch.zeros(4)))
    for n_cells in (20, 10**6):
        blocks = reconstruction_blocks(pieces, n_cells, rows=5)
        for block in blocks.parts:
            assert torch.equal(block.values(), block.cells.float()[:, None].expand(-1, 4))
    net = network(4)
    output = net.output(blocks)
    x = torch.arange(20.0)[:, None].expand(-1, 4)
    assert torch.equal(output.cells, torch.arange(20))
    torch.testing.assert_close(output.latent, net(x)[2])
    torch.testing.assert_close(output.reconstruct(slice(3, 9)), net(x)[-1][3:9])
