"""How near imputed counts come to those held out, all on the scale log(1 + count)."""

from __future__ import annotations

from functools import partial

import numpy as np

from blindfold.score.metric import metric

_imputation = partial(
    metric,
    task="imputation",
    range=(0, None),
    direction="lower",
    source="Wang et al. (2021), Nature Communications 12, 1882: held-out non-zero entries",
)


@_imputation(title="Median error of held-out entries (L1)")
def l1_median(imputed: np.ndarray, held_out: np.ndarray) -> float:
    """Return the median over held-out entries of |log(1 + imputed) - log(1 + count)|."""
    return float(np.median(np.abs(imputed - held_out)))


@_imputation(title="Mean error of held-out entries (L1)")
def l1_mean(imputed: np.ndarray, held_out: np.ndarray) -> float:
    """Return the mean over held-out entries of |log(1 + imputed) - log(1 + count)|."""
    return float(np.mean(np.abs(imputed - held_out)))


@_imputation(title="Root mean square error of held-out entries")
def rmse(imputed: np.ndarray, held_out: np.ndarray) -> float:
    """Return the root of the mean squared difference of log(1 + imputed) and log(1 + count)."""
    return float(np.sqrt(np.mean((imputed - held_out) ** 2)))


@_imputation(title="Cosine of imputed and held-out entries", range=(0, 1), direction="higher")
def cosine(imputed: np.ndarray, held_out: np.ndarray) -> float:
    """Return the cosine of the angle between all imputed and all held-out values, logarithms.

    Held-out entries are positive, so predicting one constant already gets
    mean(y) / sqrt(mean(y^2)), mostly above 0.8: read it beside ``gene_mean`` and
    ``neighbour_mean``. Predicting zero everywhere has no direction and gets 0.
    """
    size = float(np.linalg.norm(imputed) * np.linalg.norm(held_out))
    return float(imputed @ held_out) / size if size else 0.0
