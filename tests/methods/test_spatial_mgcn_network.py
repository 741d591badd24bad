"""Spatial-MGCN's network: sizes and attention against their equations."""

from __future__ import annotations

import torch

from methods.spatial_mgcn.network import Network, Views


def test_network_has_the_weights_of_its_layers():
    """2,351,944 trainable numbers at 3,000 genes."""
    network = Network(3000, torch.Generator().manual_seed(0))
    assert sum(p.numel() for p in network.parameters()) == 2_351_944


def test_weights_start_within_their_bounds():
    """Graph layers by the root of the fan-out, affine maps of the fan-in."""
    network = Network(500, torch.Generator().manual_seed(0))
    bounds = {
        "first": 128, "first_bias": 128, "second": 64, "second_bias": 64,
        "attention.score.weight": 64, "attention.query": 16, "out.weight": 64,
        "decoder.trunk.weight": 64, "decoder.trunk.bias": 64, "decoder.head": 128,
    }  # fmt: skip
    for name, fan in bounds.items():
        largest = network.get_parameter(name).detach().abs().max().item()
        assert 0.8 * fan**-0.5 < largest <= fan**-0.5, name


def test_attention_sums_to_one_and_is_even_on_equal_views():
    """Weights sum to 1, and are 1/3 each where the views coincide."""
    network = Network(20, torch.Generator().manual_seed(0))
    views = Views(*torch.randn(4, 30, 64))
    weights = network.attention.weights(views.stack())
    assert weights.shape == (30, 3)
    torch.testing.assert_close(weights.sum(dim=1), torch.ones(30))
    assert weights.std() > 0
    one = torch.randn(30, 64)
    even = network.attention.weights(Views(one, one, one, one).stack())
    torch.testing.assert_close(even, torch.full((30, 3), 1 / 3))


def test_attention_is_that_of_its_equation():
    """q . tanh(W h + b), softmax over views, one affine map of the blend."""
    net = Network(20, torch.Generator().manual_seed(0))
    views = Views(*torch.randn(4, 9, 64))
    triple = (views.spatial, (views.shared_spatial + views.shared_expression) / 2, views.expression)
    score, query = net.attention.score, net.attention.query
    for i, z in enumerate(net.embed(views)):
        scores = [torch.tanh(score.weight.T @ h[i] + score.bias) @ query for h in triple]
        weights = torch.stack(scores).exp()
        weights = weights / weights.sum()
        blend = sum(w * h[i] for w, h in zip(weights, triple, strict=True))
        torch.testing.assert_close(z, blend @ net.out.weight + net.out.bias, rtol=1e-4, atol=1e-5)
