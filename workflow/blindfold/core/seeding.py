"""Independent sources of chance, each derived from a seed and the names of what it is for."""

from __future__ import annotations

import zlib
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import numpy as np


def seed_sequence(*words: int | str) -> np.random.SeedSequence:
    """Return the seed sequence of some words in this order; of strings the CRC-32 counts."""
    import numpy as np

    return np.random.SeedSequence(
        [word if isinstance(word, int) else zlib.crc32(word.encode()) for word in words]
    )
