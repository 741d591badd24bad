"""How long a server is waited for, and how often it is asked again."""

from __future__ import annotations

import random
from dataclasses import dataclass


@dataclass(frozen=True)
class Patience:
    """Delays of downloads, in seconds.

    Parameters
    ----------
    attempts
        Failures in a row after which an address is given up; one that brought something new starts
        the count again.
    first
        Pause after the first failure; each further one is twice as long.
    longest
        Longest pause, also where a server asks for a longer one.
    connect
        Time for the connection to be made.
    silence
        Time without a byte after which a download counts as interrupted.
    """

    attempts: int = 6
    first: float = 1.0
    longest: float = 60.0
    connect: float = 20.0
    silence: float = 60.0

    def pause(self, failures: int) -> float:
        """Return how long to wait after so many failures; half of it is chance.

        Many jobs that failed together must not come back together.
        """
        whole = min(self.longest, self.first * 2.0 ** (failures - 1))
        return whole * random.uniform(0.5, 1.0)


PATIENCE = Patience()
