"""Layers that methods share, against their equations and torch's own."""

from __future__ import annotations

import pytest
import torch

from methods.shared.nn.layers import Affine, ViewAttention, glorot


def drawn() -> torch.Generator:
    return torch.Generator().manual_seed(0)


def test_glorot_weights_stay_within_their_bound():
    """The root of 6 over fan in plus fan out, of the last two sizes or of those given."""
    for shape, scale, fans in (((3, 40, 60), None, 100), ((40, 60), (500, 100), 600)):
        weight = glorot(*shape, generator=drawn(), scale=scale)
        bound = (6 / fans) ** 0.5
        assert weight.shape == shape
        assert 0.95 * bound < weight.abs().max() <= bound


def test_an_affine_map_is_torchs_linear_layer():
    """Of any number of leading sizes; it starts by the fan-in as torch's does."""
    ours, theirs = Affine(50, 30, drawn()), torch.nn.Linear(50, 30)
    for start in (ours.weight, ours.bias):
        assert 0.8 / 50**0.5 < start.abs().max() <= 1 / 50**0.5
    with torch.no_grad():
        theirs.weight.copy_(ours.weight.T)
        theirs.bias.copy_(ours.bias)
    x = torch.randn(4, 2, 50)
    torch.testing.assert_close(ours(x), theirs(x))


@pytest.mark.parametrize("n_views", [2, 3])
def test_views_are_weighed_by_the_softmax_of_their_scores(n_views):
    """Each scores q . tanh(V h + c), and the blend is their weighted mean."""
    attention, stack = ViewAttention(8, drawn()), torch.randn(5, n_views, 8)
    weights, blend = attention.weights(stack), attention.blend(stack)
    for i, views in enumerate(stack):
        hidden = [attention.score.weight.T @ h + attention.score.bias for h in views]
        expected = torch.stack([torch.tanh(v) @ attention.query for v in hidden]).exp()
        torch.testing.assert_close(weights[i], expected / expected.sum())
        torch.testing.assert_close(blend[i], weights[i] @ views)
