"""Named random streams: every generator of a run is derived from its one seed."""

from __future__ import annotations

import zlib
from collections.abc import Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    import torch


def random_stream(seed: int, name: str) -> np.random.Generator:
    """
    Return the generator of one named part of a run.

    Asking twice gives the same numbers, so a part can be repeated (a snapshot, say)
    without disturbing any other.

    Parameters
    ----------
    seed
        `Job.seed`, a non-negative integer of any size.
    name
        What the numbers are for.
    """
    return np.random.default_rng(np.random.SeedSequence([seed, zlib.crc32(name.encode())]))


def seed_integer(rng: np.random.Generator) -> int:
    """Draw a seed for a library that takes a 32-bit integer."""
    return int(rng.integers(2**31 - 1))


def torch_stream(seed: int, name: str, device: str = "cpu") -> torch.Generator:
    """Return the torch generator of one named part of a run, on `device`."""
    import torch

    return torch.Generator(device=device).manual_seed(seed_integer(random_stream(seed, name)))


@contextmanager
def seeded_torch(seed: int, name: str) -> Iterator[None]:
    """
    Let torch's own generator draw one named part of a run, and put it back afterwards.

    For layers and losses of libraries that take no generator: what they draw inside depends on
    the seed and the name alone, so nothing of it has to be kept in a checkpoint.

    Parameters
    ----------
    seed
        `Job.seed`.
    name
        What the numbers are for.
    """
    import torch

    with torch.random.fork_rng():
        torch.manual_seed(seed_integer(random_stream(seed, name)))
        yield
