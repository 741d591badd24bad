"""scTAG's graph loss, in blocks and sampled, against the dense one."""

from __future__ import annotations

import numpy as np
import pytest
import torch

from methods.sctag.losses import GraphLoss, mean_square_sigmoid
from tests.methods.toys import leaves, same_gradients


def neighbours(n: int = 30, k: int = 5) -> torch.Tensor:
    rng = np.random.default_rng(1)
    return torch.tensor(np.stack([rng.choice(n, k, replace=False) for _ in range(n)]))


def dense_graph_loss(left, right, targets):
    graph = torch.zeros(len(left), len(left), dtype=left.dtype).scatter_(1, targets, 1.0)
    return (graph - torch.sigmoid(left @ right.T)).square().mean()


def graph_loss(targets, exact_up_to, sample=(1024, 4096)):
    return GraphLoss(targets, exact_up_to, torch.Generator().manual_seed(0), sample)


def test_graph_loss_blocked_equals_dense():
    """The loss and its gradient are those of the dense one."""
    left, right = leaves((30, 4), (30, 4))
    targets = neighbours()
    loss = graph_loss(targets, 30)(left, right)
    same_gradients(loss, dense_graph_loss(left, right, targets), [left, right])


@pytest.mark.parametrize("rows", [1, 7, 100])
def test_mean_square_sigmoid_does_not_depend_on_blocks(rows):
    """Any number of rows at a time gives value and gradient of the dense mean."""
    a, b = leaves((20, 3), (13, 3))
    same_gradients(mean_square_sigmoid(a, b, rows), torch.sigmoid(a @ b.T).square().mean(), [a, b])


def test_sampled_graph_loss_is_unbiased():
    """The mean over draws lies within 3 standard errors, the gradient's too."""
    left, right = leaves((30, 4), (30, 4))
    sampled = graph_loss(neighbours(), 0, (6, 10))
    exact = dense_graph_loss(left, right, neighbours())
    draws, slopes = [], []
    for _ in range(400):
        loss = sampled(left, right)
        draws.append(loss.item())
        slopes.append(torch.autograd.grad(loss, [left])[0][3, 1].item())
    expected = torch.autograd.grad(exact, [left])[0][3, 1].item()
    for values, truth in ((draws, exact.item()), (slopes, expected)):
        assert abs(np.mean(values) - truth) < 3 * np.std(values, ddof=1) / np.sqrt(400)


def test_graph_loss_where_nothing_is_known_and_where_no_edge_is_predicted():
    """It is 0.25 where nothing is known, and k / N where no edge is predicted."""
    targets = neighbours()
    nothing = torch.zeros(30, 4, dtype=torch.float64)
    assert graph_loss(targets, 30)(nothing, nothing).item() == pytest.approx(0.25)
    far = torch.full((30, 1), 9.0, dtype=torch.float64)
    assert graph_loss(targets, 30)(far, -far).item() == pytest.approx(5 / 30)
