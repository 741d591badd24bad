"""scGNN's blocks of cells: weights, reconstructions, memory."""

from __future__ import annotations

import numpy as np
import scipy.sparse as sp
import torch

from methods.scgnn import blocks as in_blocks
from methods.scgnn.blocks import Output, expression_blocks, reconstruction_blocks, weighted_cells
from tests.methods.test_scgnn_autoencoder import dense_loss, network, weighted
from tests.methods.watch import Largest


def test_entries_weigh_by_their_state():
    """State 0 weighs 0.1, state 1 weighs 1, state 2 weighs 1.9."""
    values = sp.csr_matrix(np.ones((4, 3), dtype=np.float32))
    for state, expected in ((0, 0.1), (1, 1.0), (2, 1.9)):
        states = sp.csr_matrix((np.full(12, state, dtype=np.uint8), values.indices, values.indptr))
        block = expression_blocks(values, states, 0.9, "cpu")[0]
        torch.testing.assert_close(block.weight(), torch.full((4, 3), expected))
    plain = expression_blocks(values, None, 0.9, "cpu")[0]
    torch.testing.assert_close(plain.weight(), torch.tensor(0.1))
    empty = sp.csr_matrix((4, 3), dtype=np.float32)
    zeros = expression_blocks(empty, empty.astype(np.uint8), 0.9, "cpu")[0]
    torch.testing.assert_close(zeros.weight(), torch.full((4, 3), 0.1))


def test_small_clusters_share_a_block():
    one = torch.ones(1, 1)
    pieces = [
        Output(torch.full((n,), i), one.expand(n, 1), i * one.expand(n, 1), one, torch.zeros(1))
        for i, n in enumerate([20, 90, 30, 5, 300])
    ]
    blocks = reconstruction_blocks(pieces, 445, rows=256)
    assert [len(b.cells) for b in blocks] == [140, 261, 44]
    for block in blocks:
        assert torch.equal(block.values()[:, 0], block.cells.float())


def test_memory_of_an_epoch_is_linear_in_cells(monkeypatch):
    """No tensor of cells x genes or cells x cells above the size that fits."""
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
        sizes.append(seen.size)
    assert sizes[0] < 1000 * 1000
    assert sizes[1] <= max(2 * sizes[0], 2000 * 513)


def test_weights_of_cells_replace_those_of_entries():
    expression, states = weighted()
    blocks = weighted_cells(expression_blocks(expression, states, 0.9, "cpu"),
                            torch.arange(90.0))  # fmt: skip
    net, x = network(60), torch.as_tensor(expression.toarray())
    torch.testing.assert_close(net.loss(blocks), dense_loss(net, x, torch.arange(90.0)[:, None]))


def test_outputs_land_on_their_cells():
    """Reconstructions are stamped with the number of their cell."""
    order = torch.as_tensor(np.random.default_rng(0).permutation(20))
    pieces = []
    for part in (order[:13], order[13:]):
        stamp = part.float()[:, None]
        pieces.append(Output(part, stamp, stamp, torch.ones(4, 1), torch.zeros(4)))
    for n_cells in (20, 10**6):
        blocks = reconstruction_blocks(pieces, n_cells, rows=5)
        for block in blocks:
            assert torch.equal(block.values(), block.cells.float()[:, None].expand(-1, 4))
    net = network(4)
    output = net.output(blocks)
    x = torch.arange(20.0)[:, None].expand(-1, 4)
    assert torch.equal(output.cells, torch.arange(20))
    torch.testing.assert_close(output.latent, net(x)[2])
    torch.testing.assert_close(output.reconstruct(slice(3, 9)), net(x)[-1][3:9])
