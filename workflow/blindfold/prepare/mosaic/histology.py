"""A drawn haematoxylin and eosin section whose nuclei and stain depend on the domain."""

from __future__ import annotations

import numpy as np
from scipy.ndimage import gaussian_filter, zoom
from scipy.spatial import cKDTree

HAEMATOXYLIN = np.array([0.5626, 0.7201, 0.4062])
EOSIN = np.array([0.2159, 0.8012, 0.5581])
"""Optical density of the stains in red, green and blue, as in Macenko et al. (2009)'s method."""
PAPER = 246.0
REACH = 8
"""Pixels from the centre of a nucleus to the edge of its patch."""


def draw(
    coordinates: np.ndarray, domain: np.ndarray, pitch: float, width: int, informativeness: float,
    rng: np.random.Generator,
) -> tuple[np.ndarray, float]:  # fmt: skip
    """Draw the section.

    Parameters
    ----------
    coordinates
        N x 2 positions of spots, at least two pitches from zero.
    domain
        Domain code of each spot.
    pitch
        Distance of neighbouring spots.
    width
        Pixels.
    informativeness
        How much density and stain depend on the domain, from 0 to 1.
    rng
        Random generator.

    Returns
    -------
    tuple of numpy.ndarray and float
        height x width x 3, uint8; and pixels per unit of the coordinates.
    """
    extent = coordinates.max(axis=0) + 2 * pitch
    scale = float(width / extent[0])
    height = round(extent[1] * scale)
    tissue, region = _regions(coordinates * scale, domain, pitch * scale, (height, width))
    soft = pitch * scale / 4
    crowd = gaussian_filter(1 + informativeness * _contrast(region, 1.7, 0.618), soft) * tissue
    pink = gaussian_filter(1 + informativeness * _contrast(region, 1.1, 0.414), soft) * tissue
    nuclei = _nuclei(crowd * 9 / (pitch * scale) ** 2, rng)
    fibres = _texture((height, width), rng)
    eosin = pink * (0.34 + 0.10 * fibres) * (1 - 0.6 * nuclei)
    blue = 0.95 * nuclei + 0.04 * crowd * (1 + fibres)
    density = blue[..., None] * HAEMATOXYLIN + eosin[..., None] * EOSIN
    grain = rng.normal(0, 2.0, (height, width, 1))
    image = PAPER * np.exp(-np.maximum(density, 0)) + grain
    return np.clip(np.rint(image), 0, 255).astype(np.uint8), scale


def _contrast(region: np.ndarray, strength: float, step: float) -> np.ndarray:
    """Return a value from -strength / 2 to strength / 2 per domain.

    Irrational steps around the circle spread the values however many domains there are.
    """
    return np.asarray(strength * ((region * step + step / 2) % 1 - 0.5))


def _regions(
    pixels: np.ndarray, domain: np.ndarray, pitch: float, shape: tuple[int, int]
) -> tuple[np.ndarray, np.ndarray]:
    """Return, per pixel, how much tissue there is (0 to 1) and the domain of the nearest spot."""
    step = 4
    y, x = np.mgrid[0 : shape[0] + step : step, 0 : shape[1] + step : step]
    distance, nearest = cKDTree(pixels).query(np.column_stack([x.ravel(), y.ravel()]))
    edge = np.clip((1.2 * pitch - distance.reshape(x.shape)) / (0.3 * pitch) + 0.5, 0, 1)
    region = np.kron(domain[nearest].reshape(x.shape), np.ones((step, step), dtype=int))
    tissue = zoom(gaussian_filter(edge, 1), step, order=1)
    return tissue[: shape[0], : shape[1]], region[: shape[0], : shape[1]]


def _texture(shape: tuple[int, int], rng: np.random.Generator) -> np.ndarray:
    """Return smooth noise at two scales, mostly within -1 to 1: fibres and folds."""
    fine = gaussian_filter(rng.normal(size=shape), (1.2, 3.0))
    coarse = gaussian_filter(rng.normal(size=shape), 14)
    return np.asarray(0.5 * fine / fine.std() + 0.4 * coarse / coarse.std())


def _nuclei(per_pixel: np.ndarray, rng: np.random.Generator) -> np.ndarray:
    """Return the haematoxylin of nuclei, 0 to about 1, drawn as soft ellipses.

    Parameters
    ----------
    per_pixel
        Expected nuclei in each pixel, height x width.
    rng
        Random generator.
    """
    height, width = per_pixel.shape
    y, x = np.nonzero(rng.random(per_pixel.shape) < per_pixel)
    number = len(x)
    long = rng.uniform(2.4, 4.4, number)[:, None, None]
    short = long * rng.uniform(0.55, 0.95, number)[:, None, None]
    turn = rng.uniform(0, np.pi, number)[:, None, None]
    dark = rng.uniform(0.55, 1.0, number)[:, None, None]
    dy, dx = np.mgrid[-REACH : REACH + 1, -REACH : REACH + 1]
    along = dx * np.cos(turn) + dy * np.sin(turn)
    across = dy * np.cos(turn) - dx * np.sin(turn)
    radius = np.sqrt((along / long) ** 2 + (across / short) ** 2)
    stamp = dark * np.clip((1.15 - radius) / 0.3, 0, 1)
    canvas = np.zeros((height + 2 * REACH, width + 2 * REACH))
    rows, columns = y[:, None, None] + dy + REACH, x[:, None, None] + dx + REACH
    np.maximum.at(canvas, (rows, columns), stamp)
    return canvas[REACH:-REACH, REACH:-REACH]
