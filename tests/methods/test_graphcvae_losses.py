"""The losses of GraphCVAE by hand."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from torch.nn.functional import normalize

from methods.graphcvae.losses import contrast, divergence, reconstruction_error
from methods.graphcvae.network import Network
from methods.shared.training.seeding import torch_stream
from tests.methods.toys import leaves, same_gradients


def test_divergence_by_hand_and_its_gradient():
    """It is 0 for a standard normal and 0.5 for mean 1; its gradient, by finite differences."""
    zero, one = torch.zeros(3, 2), torch.ones(3, 2)
    assert divergence(zero, zero).item() == 0
    assert divergence(one, zero).item() == pytest.approx(0.5)
    assert torch.autograd.gradcheck(divergence, leaves((4, 3), (4, 3)))


def test_error_through_gram_matrices_is_the_direct_one():
    """The Gram identity gives the direct error, and its gradients."""
    z, v, c = leaves((7, 3), (3, 11), (11,))
    x = torch.tensor(np.random.default_rng(1).poisson(0.5, (7, 11)).astype(float))
    totals = (x.square().sum().item(), x.sum(dim=0))
    ours = reconstruction_error(z, x @ v.T, v, c, totals)
    same_gradients(ours, (x - (z @ v + c)).square().mean(), [z, v, c])


def test_contrast_by_hand():
    """With z = (3, 4) its agreement with its unit vector is 5; without a shuffle g' = g."""
    net = Network(5, 2, torch_stream(0, "weights"))
    net.bilinear.data = torch.eye(2)
    z = torch.tensor([[3.0, 4.0]])
    g = normalize(z, dim=1)
    torch.testing.assert_close(g, torch.tensor([[0.6, 0.8]]))
    assert net.agreement(z, g).item() == pytest.approx(5)
    assert net.agreement(g, g).item() == pytest.approx(1)

    def cross_entropy(positive: float, negative: float) -> float:
        return 0.5 * (np.log1p(np.exp(-positive)) + np.log1p(np.exp(negative)))

    # first loss: positive 5, negative 1; second: positive 1, negative 5
    expected = cross_entropy(5, 1) + cross_entropy(1, 5)
    assert contrast(net.agreement, z, g, g).item() == pytest.approx(expected)
