"""Named random generators."""

from __future__ import annotations

import numpy as np
import torch

from methods.shared.training.seeding import random_stream, seeded_torch, torch_stream


def test_streams_differ_by_name_and_seed_but_repeat():
    def draw(*key) -> float:
        return random_stream(*key).random()

    assert draw(1, "a") == draw(1, "a")
    assert len({draw(1, "a"), draw(1, "b"), draw(2, "a"), draw(2**100, "a")}) == 4
    first, again = (torch.rand(3, generator=torch_stream(5, "w")) for _ in range(2))
    assert torch.equal(first, again)
    assert np.isfinite(first).all()


def test_torchs_own_generator_is_seeded_by_name_and_put_back():
    """What is drawn inside depends on seed and name alone, and changes nothing outside."""

    def draw(*key) -> float:
        with seeded_torch(*key):
            return torch.rand(()).item()

    torch.manual_seed(0)
    expected = torch.rand(2)
    torch.manual_seed(0)
    first = torch.rand(())
    drawn = draw(1, "a")
    torch.testing.assert_close(torch.stack([first, torch.rand(())]), expected)
    assert draw(1, "a") == drawn
    assert len({drawn, draw(1, "b"), draw(2, "a"), draw(2**100, "a")}) == 4
