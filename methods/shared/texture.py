"""Stain and texture of histology, pixel by pixel, from fixed formulas without trained weights."""

from __future__ import annotations

import numpy as np
from scipy.ndimage import convolve1d

# Rows: hematoxylin, eosin, residual in optical density of red, green, blue.
STAINS = np.array([[0.65, 0.70, 0.29], [0.07, 0.99, 0.11], [0.27, 0.57, 0.78]])
LBP = ((8, 1.0), (16, 2.0))
WAVELENGTHS = (3.0, 6.0, 12.0)
ORIENTATIONS = 4
LEVELS = 8
BRIGHTEST = 2.0  # hematoxylin density from which on all is the top level
OFFSETS = ((0, 1), (1, 0), (1, 1), (1, -1))
TINY = 1e-4


def stains(rgb: np.ndarray) -> np.ndarray:
    """
    Separate hematoxylin, eosin and the residual.

    Parameters
    ----------
    rgb
        height x width x 3, 0 to 255.

    Returns
    -------
    height x width x 3, float32; white is 0.

    Notes
    -----
    Ruifrok and Johnston, Analytical and Quantitative Cytology and Histology 23, 291 (2001).
    """
    density = -np.log((np.asarray(rgb, dtype=np.float32) + 1) / 256)
    unit = STAINS / np.linalg.norm(STAINS, axis=1, keepdims=True)
    return density @ np.linalg.inv(unit).astype(np.float32)


def _moved(grey: np.ndarray, down: float, right: float, margin: int) -> np.ndarray:
    """Read the inner part of a map at a shift between pixels, bilinearly."""
    top, left = int(np.floor(down)), int(np.floor(right))
    fy, fx = down - top, right - left
    height, width = (size - 2 * margin for size in grey.shape)

    def at(y: int, x: int) -> np.ndarray:
        y, x = margin + y, margin + x
        return grey[y : y + height, x : x + width]

    moved = (1 - fy) * (1 - fx) * at(top, left)
    for weight, y, x in ((fy, 1, 0), (fx, 0, 1)):
        if weight:
            other = 1 - (fx if y else fy)
            moved = moved + weight * other * at(top + y, left + x)
    return moved + fy * fx * at(top + 1, left + 1) if fy * fx else moved


def binary_patterns(grey: np.ndarray, points: int, radius: float) -> np.ndarray:
    """
    Code every pixel by which points on a circle around it are at least as bright.

    Parameters
    ----------
    grey
        height x width; edges are continued.
    points, radius
        Of the circle, in pixels.

    Returns
    -------
    Number of such points, 0 to `points`, where they lie side by side; else ``points + 1``.

    Notes
    -----
    Ojala et al., IEEE TPAMI 24, 971 (2002): uniform, rotation-invariant.
    """
    margin = int(np.ceil(radius)) + 1
    padded = np.pad(grey, margin, mode="edge")
    turn = 2 * np.pi * np.arange(points) / points
    shifts = np.round(radius * np.column_stack([-np.sin(turn), np.cos(turn)]), 5)
    above = np.stack([_moved(padded, y, x, margin) >= grey - TINY for y, x in shifts])
    changes = (above != np.roll(above, 1, axis=0)).sum(axis=0)
    return np.where(changes <= 2, above.sum(axis=0), points + 1).astype(np.uint8)


def gabor_energy(grey: np.ndarray) -> np.ndarray:
    """
    Filter at four orientations and wavelengths of 3, 6 and 12 pixels.

    Parameters
    ----------
    grey
        height x width; edges are continued.

    Returns
    -------
    Magnitude of the responses, 12 x height x width, float32.
    """
    found = []
    for wavelength in WAVELENGTHS:
        deviation = 0.56 * wavelength  # a bandwidth of one octave
        reach = np.arange(-np.ceil(2.5 * deviation), np.ceil(2.5 * deviation) + 1)
        window = np.exp(-((reach / deviation) ** 2) / 2)
        window /= window.sum()
        for step in range(ORIENTATIONS):
            angle = np.pi * step / ORIENTATIONS
            waves = (np.cos(angle), np.sin(angle))
            across, down = (window * np.exp(2j * np.pi / wavelength * w * reach) for w in waves)
            response = convolve1d(grey.astype(np.complex64), across, axis=1, mode="nearest")
            found.append(np.abs(convolve1d(response, down, axis=0, mode="nearest")))
    return np.asarray(found, dtype=np.float32)


def levels(grey: np.ndarray) -> np.ndarray:
    """Cut densities of 0 to 2 into eight levels."""
    level = np.floor(np.clip(grey, 0, BRIGHTEST) * (LEVELS / BRIGHTEST))
    return np.minimum(level, LEVELS - 1).astype(np.int64)


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
    side = windows.shape[1]
    found = np.zeros((len(windows), 4))
    i, j = np.indices((LEVELS, LEVELS))
    for down, right in OFFSETS:
        first = windows[:, : side - down, max(-right, 0) : side - max(right, 0)]
        second = windows[:, down:, max(right, 0) : side + min(right, 0)]
        code = (first * LEVELS + second).reshape(len(windows), -1)
        code += LEVELS**2 * np.arange(len(windows))[:, None]
        pairs = np.bincount(code.ravel(), minlength=len(windows) * LEVELS**2)
        p = pairs.reshape(-1, LEVELS, LEVELS).astype(float)
        p = p + p.transpose(0, 2, 1)
        p /= p.sum(axis=(1, 2), keepdims=True)
        mean = (p * i).sum(axis=(1, 2), keepdims=True)
        variance = (p * (i - mean) ** 2).sum(axis=(1, 2))
        joint = (p * (i - mean) * (j - mean)).sum(axis=(1, 2))
        flat = variance < 1e-12
        found += np.column_stack(
            [
                (p * (i - j) ** 2).sum(axis=(1, 2)),
                (p / (1 + (i - j) ** 2)).sum(axis=(1, 2)),
                np.sqrt((p**2).sum(axis=(1, 2))),
                np.where(flat, 1.0, joint / np.where(flat, 1.0, variance)),
            ]
        )
    return found / len(OFFSETS)


def otsu(histogram: np.ndarray) -> int:
    """
    Split a histogram where the variance between both parts is largest.

    Parameters
    ----------
    histogram
        Counts of equally wide bins.

    Returns
    -------
    First bin of the upper part.

    Notes
    -----
    Otsu, IEEE Transactions SMC 9, 62 (1979).
    """
    below = np.cumsum(histogram)[:-1].astype(float)
    weighted = np.cumsum(histogram * np.arange(len(histogram)))
    above = histogram.sum() - below
    usable = (below > 0) & (above > 0)
    low = weighted[:-1] / np.where(usable, below, 1)
    high = (weighted[-1] - weighted[:-1]) / np.where(usable, above, 1)
    return int(np.argmax(np.where(usable, below * above * (low - high) ** 2, -1.0))) + 1
