"""Principal components of a small dense table."""

from __future__ import annotations

import numpy as np

NEGLIGIBLE = 1e-7


def leading_scores(rows: np.ndarray, n_components: int) -> np.ndarray:
    """
    Project rows on their leading principal components.

    Parameters
    ----------
    rows
        cells x d, finite, d some hundred at most.
    n_components
        Components to keep; fewer where d or the rank is less, but at least one.

    Returns
    -------
    Scores, cells x components, float64, largest variance first; the largest loading of each
    component is positive.
    """
    centred = np.asarray(rows, dtype=np.float64)
    centred = centred - centred.mean(axis=0)
    values, vectors = np.linalg.eigh(centred.T @ centred)
    values, vectors = values[::-1], vectors[:, ::-1]
    rank = int((values > NEGLIGIBLE**2 * max(values[0], 1e-300)).sum())
    count = max(min(n_components, rank), 1)
    chosen = vectors[:, :count]
    largest = chosen[np.abs(chosen).argmax(axis=0), np.arange(count)]
    return np.asarray(centred @ (chosen * np.where(largest < 0, -1.0, 1.0)))
