"""What training changes is kept and put back."""

from __future__ import annotations

import pickle
from typing import Any

import numpy as np
import torch

from methods.shared.training.state import restore, state_of


def test_what_others_hold_is_changed_in_place():
    """An optimiser holds the centres; generators and networks are referred to from elsewhere."""

    class Owner:
        def __init__(self) -> None:
            self.centres: Any = torch.zeros(2)
            self.loss = type("Loss", (), {"generator": torch.Generator().manual_seed(1)})()
            self.numbers = np.random.default_rng(1)
            self.target: Any = None

    first, second = Owner(), Owner()
    first.centres += 3
    first.target = torch.ones(1)
    torch.rand(1, generator=first.loss.generator)
    first.numbers.random()
    held = second.centres
    names = ("centres", "loss.generator", "numbers", "target")
    restore(second, pickle.loads(pickle.dumps(state_of(first, names))))
    assert held.tolist() == [3.0, 3.0]
    assert second.target.tolist() == [1.0]
    assert second.numbers.random() == first.numbers.random()
    draws = [torch.rand(1, generator=owner.loss.generator) for owner in (first, second)]
    assert torch.equal(*draws)
