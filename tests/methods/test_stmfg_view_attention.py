"""stMFG's attention between two views against its equations."""

from __future__ import annotations

import torch

from methods.stmfg.view_attention import Scorer, Tokens


def test_weights_of_views_sum_to_one_and_follow_the_views():
    """Weights lie in (0, 1) and sum to 1; 1/2 each for equal views; swapped with the views."""
    scorer = Scorer(64, "residual", torch.Generator().manual_seed(0))
    stack = torch.randn(30, 2, 64)
    weights = scorer.weights(stack)
    assert ((weights > 0) & (weights < 1)).all()
    assert weights.std() > 0
    torch.testing.assert_close(weights.sum(dim=1), torch.ones(30))
    torch.testing.assert_close(scorer.weights(stack.flip(1)), weights.flip(1))
    one = torch.randn(30, 64)
    equal = torch.stack([one, one], dim=1)
    torch.testing.assert_close(scorer.weights(equal), torch.full((30, 2), 0.5))
    torch.testing.assert_close(scorer(equal).fused, one)


def test_scorer_is_that_of_its_equation():
    """q . tanh(V h + c), softmax over views; halfway into both streams."""
    net = Scorer(16, "residual", torch.Generator().manual_seed(0))
    stack = torch.randn(9, 2, 16)
    found = net(stack)
    for i, pair in enumerate(stack):
        scores = [torch.tanh(net.score.weight.T @ h + net.score.bias) @ net.query for h in pair]
        weights = torch.stack(scores).exp()
        fused = sum(w * h for w, h in zip(weights / weights.sum(), pair, strict=True))
        torch.testing.assert_close(found.fused[i], fused)
        torch.testing.assert_close(found.streams[i], (pair + fused) / 2)


def test_tokens_attend_as_in_torch():
    """Scaled dot products of two tokens a spot, no array of spots x spots."""
    net = Tokens(16, "residual", torch.Generator().manual_seed(0))
    stack = torch.randn(9, 2, 16)
    query, key, value = (stack @ weight for weight in net.maps)
    expected = torch.nn.functional.scaled_dot_product_attention(query, key, value)
    found = net(stack)
    torch.testing.assert_close(found.streams, expected)
    torch.testing.assert_close(found.fused, expected.mean(dim=1))
    torch.testing.assert_close(net.weights(stack).sum(dim=2), torch.ones(9, 2))
    swapped = net(stack.flip(1))
    torch.testing.assert_close(swapped.streams, expected.flip(1))
