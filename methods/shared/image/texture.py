"""Stain and texture of histology, pixel by pixel, from fixed formulas without trained weights."""

from __future__ import annotations

import numpy as np
from scipy.signal import fftconvolve
from skimage.color import hed_from_rgb, separate_stains
from skimage.feature import graycomatrix, graycoprops, local_binary_pattern
from skimage.filters import gabor_kernel

LBP = ((8, 1.0), (16, 2.0))
ANGLES = np.pi * np.arange(4) / 4
GABOR = [gabor_kernel(1 / wavelength, angle) for wavelength in (3, 6, 12) for angle in ANGLES]
REACH = max(len(kernel) for kernel in GABOR) // 2  # pixels that the widest filter looks aside
LEVELS = 8  # of the cooccurrence
BRIGHTEST = 2.0  # hematoxylin density from which on all is the top level
DARKEST = 1e-6  # of the light, to whose density `separate_stains` relates its own


def stains(rgb: np.ndarray) -> np.ndarray:
    """
    Separate hematoxylin, eosin and the residual.

    Parameters
    ----------
    rgb
        height x width x 3, 0 to 255.

    Returns
    -------
    Optical densities, height x width x 3, float32, none below 0; white is 0.

    Notes
    -----
    Ruifrok and Johnston, Analytical and Quantitative Cytology and Histology 23, 291 (2001).
    """
    light = (np.asarray(rgb, dtype=np.float32) + 1) / 256
    return -np.log(np.float32(DARKEST)) * separate_stains(light, hed_from_rgb.astype(np.float32))


def levels(density: np.ndarray, n: int = LEVELS) -> np.ndarray:
    """Cut densities of 0 to 2 into `n` levels, uint8."""
    level = np.floor(np.clip(density, 0, BRIGHTEST) * (n / BRIGHTEST))
    return np.minimum(level, n - 1).astype(np.uint8)


def binary_patterns(grey: np.ndarray, points: int, radius: float) -> np.ndarray:
    """
    Code every pixel by which points on a circle around it are at least as bright.

    Parameters
    ----------
    grey
        height x width, whole numbers, of which equal ones are seen as equal; black beyond the edge.
    points, radius
        Of the circle, in pixels.

    Returns
    -------
    Number of such points, 0 to `points`, where they lie side by side; else ``points + 1``.

    Notes
    -----
    Ojala et al., IEEE TPAMI 24, 971 (2002): uniform, rotation-invariant.
    """
    return local_binary_pattern(grey, points, radius, method="uniform").astype(np.uint8)


def gabor_energy(grey: np.ndarray) -> np.ndarray:
    """
    Filter at four orientations and wavelengths of 3, 6 and 12 pixels, one octave wide.

    Parameters
    ----------
    grey
        height x width; edges are continued.

    Returns
    -------
    Magnitude of the responses, 12 x height x width, float32.
    """
    padded = np.pad(grey, REACH, mode="edge")
    inner = (slice(REACH, -REACH), slice(REACH, -REACH))
    found = [np.abs(fftconvolve(padded, kernel, mode="same")[inner]) for kernel in GABOR]
    return np.asarray(found, dtype=np.float32)


def cooccurrence(windows: np.ndarray) -> np.ndarray:
    """
    Describe how levels follow each other, averaged over four directions one pixel apart.

    Parameters
    ----------
    windows
        Levels, windows x side x side, side at least 2.

    Returns
    -------
    Contrast, homogeneity, energy and correlation, windows x 4; a flat window has correlation 1.

    Notes
    -----
    Haralick et al., IEEE Transactions SMC 3, 610 (1973).
    """
    pairs = [
        graycomatrix(window, [1], ANGLES, LEVELS, symmetric=True, normed=True) for window in windows
    ]
    joined = np.concatenate(pairs, axis=2)
    measures = ("contrast", "homogeneity", "energy", "correlation")
    return np.column_stack([graycoprops(joined, measure).mean(axis=1) for measure in measures])
