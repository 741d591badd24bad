"""Named random generators."""

from __future__ import annotations

import numpy as np
import torch

from methods.shared.training.seeding import random_stream, torch_stream


def test_streams_differ_by_name_and_seed_but_repeat():
    def draw(*key) -> float:
        return random_stream(*key).random()

    assert draw(1, "a") == draw(1, "a")
    assert len({draw(1, "a"), draw(1, "b"), draw(2, "a"), draw(2**100, "a")}) == 4
    first, again = (torch.rand(3, generator=torch_stream(5, "w")) for _ in range(2))
    assert torch.equal(first, again)
    assert np.isfinite(first).all()
