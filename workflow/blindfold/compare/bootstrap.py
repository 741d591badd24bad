"""Bootstrap intervals from a generator that depends on nothing but what is resampled."""

from __future__ import annotations

import zlib

import numpy as np

DRAWS = 2000
LEVEL = 0.95

Interval = tuple[float, float]
NONE: Interval = (float("nan"), float("nan"))


def generator(*names: object) -> np.random.Generator:
    """Return a generator seeded by names, so that another row of a table changes nothing."""
    return np.random.default_rng(zlib.crc32("/".join(str(name) for name in names).encode()))


def seed_interval(values: np.ndarray, rng: np.random.Generator) -> Interval:
    """Return the 95 % percentile interval of a mean over seeds.

    Parameters
    ----------
    values
        One value per seed; NaN is left out. Fewer than two give no interval (NaN).
    rng
        See `generator`.

    References
    ----------
    Efron (1979), Annals of Statistics 7, 1-26.
    """
    return hierarchical_interval([values], rng)


def hierarchical_interval(groups: list[np.ndarray], rng: np.random.Generator) -> Interval:
    """Return the 95 % interval of a mean of dataset means: datasets are drawn, then seeds.

    Parameters
    ----------
    groups
        For each dataset the values of its seeds; NaN and empty datasets are left out. Fewer
        than two values in all give no interval (NaN).
    rng
        See `generator`.

    References
    ----------
    Davison & Hinkley (1997), Bootstrap Methods and their Application, section 3.8.
    """
    kept = [np.asarray(group, dtype=float) for group in groups]
    kept = [group[np.isfinite(group)] for group in kept]
    kept = [group for group in kept if len(group)]
    if sum(map(len, kept)) < 2:
        return NONE
    drawn = rng.integers(0, len(kept), (DRAWS, len(kept)))
    means = np.empty(drawn.shape)
    for index, group in enumerate(kept):
        chosen = drawn == index
        picks = rng.integers(0, len(group), (int(chosen.sum()), len(group)))
        means[chosen] = group[picks].mean(axis=1)
    tail = 50 * (1 - LEVEL)
    low, high = np.percentile(means.mean(axis=1), [tail, 100 - tail])
    return float(low), float(high)
