"""What training changes, as something that can be pickled, and put back where it was."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from operator import attrgetter
from typing import Any

import numpy as np
import torch
from torch import Tensor


def state_of(owner: object, names: Iterable[str]) -> dict[str, Any]:
    """
    Return the states of some attributes.

    Parameters
    ----------
    owner
        Whose attributes.
    names
        Dotted below `owner`. What has a ``state_dict`` (network, optimiser, training) and random
        generators give their state, all others themselves.
    """
    return {name: _state(attrgetter(name)(owner)) for name in names}


def _state(value: Any) -> Any:
    if hasattr(value, "state_dict"):
        return value.state_dict()
    if isinstance(value, torch.Generator):
        return value.get_state()
    if isinstance(value, np.random.Generator):
        return value.bit_generator.state
    return value


def restore(owner: object, frozen: Mapping[str, Any]) -> None:
    """
    Put the states back, in place wherever something else may refer to the object.

    Parameters
    ----------
    owner
        As of `state_of`, built in the same way.
    frozen
        What `state_of` returned.
    """
    for name, saved in frozen.items():
        above, _, last = name.rpartition(".")
        parent = attrgetter(above)(owner) if above else owner
        value: Any = getattr(parent, last, None)
        if hasattr(value, "load_state_dict"):
            value.load_state_dict(saved)
        elif isinstance(value, torch.Generator):
            value.set_state(saved)
        elif isinstance(value, np.random.Generator):
            value.bit_generator.state = saved
        elif isinstance(value, Tensor):  # an optimiser may hold it
            value.data.copy_(saved)
        else:
            setattr(parent, last, saved)
