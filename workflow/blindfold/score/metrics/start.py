"""What the partition scores that a method's training began with."""

from __future__ import annotations

import numpy as np

from blindfold.score.metric import metric
from blindfold.score.metrics.ari import ari
from blindfold.score.metrics.nmi import nmi


@metric(
    name="ari_start",
    task="clustering",
    title="Adjusted Rand index of the partition that training began with",
    range=(-0.5, 1),
    direction="higher",
    reference="Hubert & Arabie (1985), Journal of Classification 2, 193-218",
)
def ari_start(truth: np.ndarray, start: np.ndarray) -> float:
    """Return the adjusted Rand index of the start, snapshot 0, of methods that keep one.

    Beside ``ari`` it says what training added to, or took from, the start.
    """
    return ari(truth, start)


@metric(
    name="nmi_start",
    task="clustering",
    title="Normalised mutual information of the partition that training began with",
    range=(0, 1),
    direction="higher",
    reference="Vinh, Epps & Bailey (2010), JMLR 11, 2837-2854",
)
def nmi_start(truth: np.ndarray, start: np.ndarray) -> float:
    """Return the normalised mutual information of the start, as ``ari_start`` the index."""
    return nmi(truth, start)
