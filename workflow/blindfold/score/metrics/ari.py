"""Adjusted Rand index."""

from __future__ import annotations

import numpy as np

from blindfold.score.metric import metric


@metric(
    name="ari",
    task="clustering",
    title="Adjusted Rand index",
    range=(-0.5, 1),
    direction="higher",
    reference="Hubert & Arabie (1985), Journal of Classification 2, 193-218",
)
def ari(truth: np.ndarray, clusters: np.ndarray) -> float:
    """Return the Rand index corrected for chance.

    0 is what a random partition with the same sizes is expected to get, 1 is agreement up to
    the names of clusters; -0.5 is the lower bound. Symmetric.
    """
    from sklearn.metrics import adjusted_rand_score

    return float(adjusted_rand_score(truth, clusters))
