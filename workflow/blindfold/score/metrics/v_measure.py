"""V-measure."""

from __future__ import annotations

import numpy as np

from blindfold.score.metric import metric


@metric(
    name="v_measure",
    task="clustering",
    title="V-measure",
    range=(0, 1),
    direction="higher",
    reference="Rosenberg & Hirschberg (2007), EMNLP-CoNLL, 410-420",
)
def v_measure(truth: np.ndarray, clusters: np.ndarray) -> float:
    """Return the harmonic mean of homogeneity and completeness.

    Equal to NMI with the arithmetic mean. Symmetric.
    """
    from sklearn.metrics import v_measure_score

    return float(v_measure_score(truth, clusters))
