"""Soft assignments and their sharpened target against scikit-learn and scipy."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from scipy.stats import entropy
from sklearn.metrics import pairwise_distances

from methods.shared.losses.self_training import mean_kl, sharpened_target, student_assignments
from tests.methods.toys import leaves


def test_assignments_by_distances_and_under_rigid_motion():
    """Rows sum to 1, distances are those of scikit-learn, and motion changes nothing."""
    z, c = (x.detach() for x in leaves((20, 3), (4, 3)))
    q = student_assignments(z, c)
    kernel = 1 / (1 + pairwise_distances(z, c) ** 2)
    np.testing.assert_allclose(q, kernel / kernel.sum(axis=1, keepdims=True))
    turn = torch.linalg.qr(leaves((3, 3))[0].detach())[0]
    torch.testing.assert_close(student_assignments(z @ turn + 3, c @ turn + 3), q)


def test_target_keeps_one_hot_and_sharpens():
    """One-hot rows are a fixed point; with equal masses entropy does not grow."""
    hot = torch.eye(3, dtype=torch.float64).repeat(4, 1)
    torch.testing.assert_close(sharpened_target(hot), hot)
    q = torch.tensor([[0.7, 0.2, 0.1], [0.1, 0.7, 0.2], [0.2, 0.1, 0.7]], dtype=torch.float64)
    p = sharpened_target(q)
    torch.testing.assert_close(p.sum(dim=1), torch.ones(3, dtype=torch.float64))
    assert (entropy(p.numpy(), axis=1) <= entropy(q.numpy(), axis=1)).all()
    assert mean_kl(p, q).item() == pytest.approx(entropy(p, q, axis=1).mean())
    assert mean_kl(q, p).item() == pytest.approx(entropy(q, p, axis=1).mean())
    assert mean_kl(hot, hot).item() == 0


def test_target_is_sharper_than_assignments_and_keeps_uniform_ones():
    """Rows of q sum to 1; p is sharper on average, and equals a uniform q."""
    z, centres = torch.randn(200, 32), torch.randn(10, 32)
    q = student_assignments(z, centres)
    torch.testing.assert_close(q.sum(dim=1), torch.ones(200))
    p = sharpened_target(q)
    entropy = [-(x * x.log()).sum(dim=1).mean() for x in (p, q)]
    assert entropy[0] <= entropy[1]
    even = torch.full((20, 10), 0.1)
    torch.testing.assert_close(sharpened_target(even), even)
