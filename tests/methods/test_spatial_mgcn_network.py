"""Spatial-MGCN's network: sizes, attention and trunk against their equations."""

from __future__ import annotations

import torch

from methods.spatial_mgcn.network import Network, Views


def test_network_has_as_many_weights_as_the_published_one():
    """2,351,944 trainable numbers at 3,000 genes."""
    network = Network(3000, torch.Generator().manual_seed(0))
    assert sum(p.numel() for p in network.parameters()) == 2_351_944


def test_weights_start_within_their_bounds():
    """Graph layers by the root of the fan-out, affine maps of the fan-in."""
    network = Network(500, torch.Generator().manual_seed(0))
    bounds = {"first": 128, "first_bias": 128, "second": 64, "second_bias": 64, "score": 64,
              "query": 16, "out": 64, "trunk": 64, "trunk_bias": 64, "head": 128}  # fmt: skip
    for name, fan in bounds.items():
        largest = getattr(network, name).detach().abs().max().item()
        assert 0.8 * fan**-0.5 < largest <= fan**-0.5, name


def test_trunk_is_that_of_torch():
    """Linear, batch normalisation over all spots, ReLU."""
    network = Network(20, torch.Generator().manual_seed(0))
    with torch.no_grad():
        network.batch_scale.uniform_(0.5, 2)
        network.batch_shift.uniform_(-1, 1)
    z = torch.randn(50, 64)
    x = torch.addmm(network.trunk_bias, z, network.trunk)
    normed = torch.nn.functional.batch_norm(
        x, None, None, network.batch_scale, network.batch_shift, training=True
    )
    torch.testing.assert_close(network.decode(z), torch.relu(normed), rtol=1e-4, atol=1e-5)


def test_attention_sums_to_one_and_is_even_on_equal_views():
    """Weights sum to 1, and are 1/3 each where the views coincide."""
    network = Network(20, torch.Generator().manual_seed(0))
    views = Views(*torch.randn(4, 30, 64))
    weights = network.attention(views.stack())
    assert weights.shape == (30, 3)
    torch.testing.assert_close(weights.sum(dim=1), torch.ones(30))
    assert weights.std() > 0
    one = torch.randn(30, 64)
    even = network.attention(Views(one, one, one, one).stack())
    torch.testing.assert_close(even, torch.full((30, 3), 1 / 3))


def test_attention_is_that_of_its_equation():
    """q . tanh(W h + b), softmax over views, one affine map of the blend."""
    net = Network(20, torch.Generator().manual_seed(0))
    views = Views(*torch.randn(4, 9, 64))
    triple = (views.spatial, (views.shared_spatial + views.shared_expression) / 2, views.expression)
    for i, z in enumerate(net.embed(views)):
        scores = [torch.tanh(net.score.T @ h[i] + net.score_bias) @ net.query for h in triple]
        weights = torch.stack(scores).exp()
        weights = weights / weights.sum()
        blend = sum(w * h[i] for w, h in zip(weights, triple, strict=True))
        torch.testing.assert_close(z, blend @ net.out + net.out_bias, rtol=1e-4, atol=1e-5)
