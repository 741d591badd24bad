"""scGNN's inner product decoder, in blocks and sampled, against the dense loss."""

from __future__ import annotations

from functools import partial

import numpy as np
import pytest
import torch
from torch.nn.functional import binary_cross_entropy_with_logits, softplus

from methods.scgnn import losses
from methods.scgnn.losses import InnerProductDecoder
from methods.shared.graphs.weights import with_loops
from methods.shared.losses.with_gradient import row_blocks
from methods.shared.training.seeding import torch_stream
from tests.methods.test_scgnn_cell_graph import graph
from tests.methods.toys import leaves, same_gradients


def dense_loss(adjacency: np.ndarray, z: torch.Tensor) -> torch.Tensor:
    """Weighted cross-entropy with logits over all pairs, as the public code forms it."""
    n, edges = len(adjacency), adjacency.sum()
    target = torch.as_tensor(adjacency + np.eye(n), dtype=z.dtype)
    weight = torch.tensor((n**2 - edges) / edges, dtype=z.dtype)
    mean = binary_cross_entropy_with_logits(z @ z.T, target, pos_weight=weight)
    return n**2 / (2 * (n**2 - edges)) * mean


@pytest.mark.parametrize("rows", [7, 60])
def test_blocked_loss_is_the_dense_one(rows, monkeypatch):
    """Value and gradient against cross-entropy with logits, some rows at a time."""
    monkeypatch.setattr(losses, "row_blocks", partial(row_blocks, rows=rows))
    adjacency = graph()
    z = torch.randn(60, 16, dtype=torch.float64, generator=torch_stream(0, "z"))
    z.requires_grad_()
    decoder = InnerProductDecoder(with_loops(adjacency).astype(np.float64), 60, None)
    expected = dense_loss(adjacency.toarray(), z)
    found = decoder(z)
    torch.testing.assert_close(found, expected)
    torch.testing.assert_close(
        torch.autograd.grad(found, z), torch.autograd.grad(expected, z), rtol=1e-6, atol=1e-9
    )


def test_drawn_columns_stand_for_all():
    """The sum of softplus over drawn columns, scaled up, with the gradients of both sides."""
    sampled = InnerProductDecoder(with_loops(graph()), 10, torch_stream(0, "pairs"), columns=12)
    drawn = torch.randperm(60, generator=torch_stream(0, "pairs"))[:12]
    (z,) = leaves((60, 5))
    same_gradients(sampled.all_pairs(3 * z), 5 * softplus(9 * z @ z[drawn].T).sum(), [z])


def test_sampled_loss_is_unbiased():
    """Over 1,000 draws the mean is within 1 %, the gradients within 5 %."""
    adjacency = graph()
    z = 0.7 * torch.randn(60, 16, generator=torch_stream(0, "z"))
    z.requires_grad_()
    sampled = InnerProductDecoder(with_loops(adjacency), 10, torch_stream(0, "pairs"), columns=12)
    assert not sampled.exact
    values, total = [], torch.zeros_like(z)
    for _ in range(1000):
        loss = sampled(z)
        values.append(float(loss.detach()))
        total += torch.autograd.grad(loss, z)[0]
    expected = dense_loss(adjacency.toarray(), z)
    assert np.mean(values) == pytest.approx(expected.item(), rel=0.01)
    gradient = torch.autograd.grad(expected, z)[0]
    assert torch.linalg.norm(total / 1000 - gradient) < 0.05 * torch.linalg.norm(gradient)
