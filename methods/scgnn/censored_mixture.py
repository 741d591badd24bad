"""Left-censored Gaussian mixtures, fitted to many genes at once.

Wan et al., Nucleic Acids Research 47, e111 (2019), doi 10.1093/nar/gkz655 (LTMG).
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
from scipy.special import log_ndtr

LEAST_SD = 0.05  # tied counts would let a component shrink onto one value without bound
STEPS = 100
TOLERANCE = 1e-10
HALF_LOG_2PI = 0.5 * np.log(2 * np.pi)


class Observed(NamedTuple):
    """Distinct values of some genes, padded to the same number."""

    value: np.ndarray  # genes x distinct, log scale, ascending
    times: np.ndarray  # genes x distinct: cells with that value, 0 in the padding
    cut: np.ndarray  # genes: values below are censored
    censored: np.ndarray  # genes: number of censored cells

    def take(self, genes: np.ndarray) -> Observed:
        """Keep some genes."""
        return Observed(*(part[genes] for part in self))


class Mixture(NamedTuple):
    """Parameters, genes x components each."""

    weight: np.ndarray
    mean: np.ndarray
    sd: np.ndarray


def start(data: Observed, n_components: int) -> Mixture:
    """
    Spread the means over the quantiles, the outer two beyond the data; equal weights and s.d.

    Notes
    -----
    Needs more observed cells than components. Sample s.d. over the observed values.
    """
    m = data.times.sum(axis=1)
    rank = np.floor(np.arange(1, n_components + 1) * m[:, None] / (n_components + 1))
    below = data.times.cumsum(axis=1)
    at = (below[:, None, :] < np.maximum(rank, 1)[:, :, None]).sum(axis=2)
    mean = np.take_along_axis(data.value, np.minimum(at, data.value.shape[1] - 1), axis=1)
    present = data.times > 0
    mean[:, 0] = np.where(present, data.value, np.inf).min(axis=1) - 1
    mean[:, -1] = np.where(present, data.value, -np.inf).max(axis=1) + 1
    centre = (data.times * data.value).sum(axis=1) / m
    square = (data.times * (data.value - centre[:, None]) ** 2).sum(axis=1)
    sd = np.maximum(np.sqrt(square / np.maximum(m - 1, 1)), LEAST_SD)
    shape = mean.shape
    return Mixture(np.full(shape, 1 / n_components), mean, np.broadcast_to(sd[:, None], shape))


def log_joint(mixture: Mixture, value: np.ndarray) -> np.ndarray:
    """Return log p_k phi(y; mu_k, sigma_k), genes x components x values."""
    weight, mean, sd = (part[:, :, None] for part in mixture)
    scale = np.log(np.maximum(weight, 1e-300)) - np.log(sd) - HALF_LOG_2PI
    return scale - 0.5 * ((value[:, None, :] - mean) / sd) ** 2


def censored_joint(mixture: Mixture, cut: np.ndarray) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """
    Describe the mass below the cut.

    Returns
    -------
    log p_k Phi(z_k), z_k = (q - mu_k) / sigma_k and the inverse Mills ratio phi(z_k) / Phi(z_k),
    genes x components each.
    """
    z = (cut[:, None] - mixture.mean) / mixture.sd
    log_phi = log_ndtr(z)
    mills = np.exp(-0.5 * z**2 - HALF_LOG_2PI - log_phi)
    return np.log(np.maximum(mixture.weight, 1e-300)) + log_phi, z, mills


def _softmax(joint: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Return shares over axis 1 and the log of their total, in log space."""
    most = joint.max(axis=1, keepdims=True)
    share = np.exp(joint - most)
    total = share.sum(axis=1, keepdims=True)
    share /= total
    return share, (most + np.log(total))[:, 0]


def log_likelihood(mixture: Mixture, data: Observed, censored: bool = True) -> np.ndarray:
    """Sum the log-likelihood of the observed cells and, if asked, of the censored ones; genes."""
    total = (_softmax(log_joint(mixture, data.value))[1] * data.times).sum(axis=1)
    if censored:
        total += data.censored * _softmax(censored_joint(mixture, data.cut)[0])[1]
    return total


def step(mixture: Mixture, data: Observed, exact: bool = True) -> Mixture:
    """
    Take one EM step.

    Parameters
    ----------
    mixture
        Present parameters.
    data
        The genes.
    exact
        Variance around the new mean; False around the old one, as in the reference
        implementation. Both have the same fixed points.
    """
    share, _ = _softmax(log_joint(mixture, data.value))
    share *= data.times[:, None, :]
    value = data.value[:, :, None]
    powers = np.concatenate([np.ones_like(value), value, value**2], axis=2)
    zeroth, first, second = np.moveaxis(share @ powers, 2, 0)
    joint, z, mills = censored_joint(mixture, data.cut)
    below = data.censored[:, None] * _softmax(joint)[0]
    mass = np.maximum(zeroth + below, 1e-300)
    mean = (first + below * (mixture.mean - mixture.sd * mills)) / mass
    old = mixture.mean
    square = second - 2 * old * first + old**2 * zeroth
    variance = (square + below * mixture.sd**2 * (1 - z * mills)) / mass
    if exact:
        variance -= (mean - old) ** 2
    sd = np.sqrt(np.maximum(variance, LEAST_SD**2))
    cells = data.times.sum(axis=1) + data.censored
    return Mixture(mass / cells[:, None], mean, sd)


def fit(data: Observed, n_components: int, exact: bool = True) -> Mixture:
    """
    Run EM on every gene until its own parameters rest, 100 steps at most.

    Parameters
    ----------
    data
        Genes with more observed cells than components.
    n_components
        Components.
    exact
        See `step`.
    """
    mixture = start(data, n_components)
    final = Mixture(*(np.array(part) for part in mixture))
    live = np.arange(len(data.cut))
    for _ in range(STEPS):
        new = step(mixture, data, exact)
        moved = [np.abs(a - b).mean(axis=1) for a, b in zip(new, mixture, strict=True)]
        moving = ~(np.max(moved, axis=0) <= TOLERANCE)
        mixture = new
        if not moving.all():
            for part, found in zip(final, mixture, strict=True):
                part[live] = found
            live, data = live[moving], data.take(moving)
            mixture = Mixture(*(part[moving] for part in mixture))
        if not live.size:
            break
    for part, found in zip(final, mixture, strict=True):
        part[live] = found
    return final
