"""Features of the tissue around every spot, from its image, without trained weights."""

from __future__ import annotations

from collections.abc import Iterator
from typing import NamedTuple

import numpy as np
from skimage.filters import threshold_otsu

from methods.shared.graphs.neighbors import pitch_of
from methods.shared.image.texture import (
    LBP,
    REACH,
    binary_patterns,
    cooccurrence,
    gabor_energy,
    levels,
    stains,
)

SPOT = 0.55  # diameter of a spot in pitches: 55 of 100 micrometres on Visium
SCALES = (1.0, 2.0, 3.5)  # side of a crop in spot diameters
PITCH_PIXELS = 32  # images finer than this are reduced by a whole factor
LEAST_PITCH_PIXELS = 2.0
LEAST_SIDE = 3
TISSUE = 0.15  # mean optical density of the three stains from which on there is tissue
TILE = 512
BINS, DENSEST = 1024, 2.5  # of hematoxylin densities
GREYS = 256  # levels of which binary patterns are taken
SPOTS = 256
WHITE = 255
QUANTILES = (0.1, 0.5, 0.9)


class Histology(NamedTuple):
    """
    What `histology_features` finds.

    Parameters
    ----------
    features
        spots x 231, not standardised; NaN for spots outside the image.
    inside
        Whether a spot's centre lies in the image, spots.
    """

    features: np.ndarray
    inside: np.ndarray


def as_rgb(image: np.ndarray) -> np.ndarray:
    """
    Bring an image to height x width x 3, uint8.

    Parameters
    ----------
    image
        Grey (two axes, or one channel), RGB or RGBA, which is laid over white; uint8, uint16, or
        floats from 0 to 1.

    Raises
    ------
    ValueError
        For any other shape or type.
    """
    image = np.asarray(image)
    if image.ndim == 2:
        image = image[:, :, None]
    if image.ndim != 3 or image.shape[2] not in (1, 3, 4) or 0 in image.shape:
        raise ValueError(
            f"image: shape {image.shape}; give height x width, or height x width x 1, 3 or 4"
        )
    most = {"uint8": 255, "uint16": 65535, "float32": 1, "float64": 1}.get(str(image.dtype))
    if most is None or (image.dtype.kind == "f" and not ((image >= 0) & (image <= 1)).all()):
        raise ValueError(f"image: {image.dtype}; give uint8, uint16, or floats from 0 to 1")
    if image.dtype != np.uint8:
        image = np.rint(image * (WHITE / most)).astype(np.uint8)
    if image.shape[2] == 1:
        return np.repeat(image, 3, axis=2)
    if image.shape[2] == 4:
        opaque = image[:, :, 3:] / WHITE
        image = np.rint(image[:, :, :3] * opaque + WHITE * (1 - opaque)).astype(np.uint8)
    return image


def reduced(image: np.ndarray, factor: int) -> np.ndarray:
    """Average squares of `factor` pixels, the last ones continued by white."""
    if factor == 1:
        return image
    height, width = (-(-size // factor) for size in image.shape[:2])
    small = np.empty((height, width, 3), dtype=np.uint8)
    for row in range(height):
        strip = image[row * factor : (row + 1) * factor]
        missing = (factor - len(strip), width * factor - strip.shape[1])
        strip = np.pad(strip, ((0, missing[0]), (0, missing[1]), (0, 0)), constant_values=WHITE)
        mean = strip.reshape(factor, width, factor, 3).mean(axis=(0, 2))
        small[row] = np.rint(mean)
    return small


def _working_image(
    image: np.ndarray, coordinates: np.ndarray, scale: float | None, pitch: float | None
) -> tuple[np.ndarray, np.ndarray, float, np.ndarray]:
    """Return the image at its working size, centres and pitch in its pixels, and who is inside."""
    if scale is None or not np.isfinite(scale) or scale <= 0:
        raise ValueError(f"scale: {scale}; give the image's pixels per unit of the coordinates")
    rgb = as_rgb(image)
    centres = np.asarray(coordinates, dtype=float) * scale
    size = (pitch or pitch_of(coordinates)) * scale
    if size < LEAST_PITCH_PIXELS:
        raise ValueError(
            f"image: spots lie {size:.3g} pixels apart, too close to tell them; "
            "check the scale, or give a finer image"
        )
    inside = np.all((centres >= 0) & (centres < rgb.shape[1::-1]), axis=1)
    if 2 * inside.sum() < len(inside):
        raise ValueError(
            f"image: {(~inside).sum()} of {len(inside)} spots lie outside its {rgb.shape[1]} x "
            f"{rgb.shape[0]} pixels; check the scale and the order of x and y"
        )
    factor = max(int(size // PITCH_PIXELS), 1)
    return reduced(rgb, factor), centres / factor, size / factor, inside


def _padded(image: np.ndarray, top: int, left: int, height: int, width: int) -> np.ndarray:
    """Cut a part that may reach over the edge, where all is white."""
    part = np.full((height, width, 3), WHITE, dtype=np.uint8)
    y, x = max(top, 0), max(left, 0)
    piece = image[y : top + height, x : left + width]
    part[y - top : y - top + piece.shape[0], x - left : x - left + piece.shape[1]] = piece
    return part


def nuclear_density(image: np.ndarray) -> float:
    """Return the hematoxylin density that splits nuclei from the rest of the image (Otsu)."""
    edges = np.linspace(0, DENSEST, BINS + 1)
    histogram = np.zeros(BINS, dtype=np.int64)
    for row in range(0, len(image), TILE):
        density = stains(image[row : row + TILE])[:, :, 0]
        histogram += np.histogram(np.minimum(density, DENSEST), edges)[0]
    if np.count_nonzero(histogram) < 2:
        return DENSEST  # of one colour: nothing to split
    return float(threshold_otsu(hist=(histogram, edges[1:])))


class Maps(NamedTuple):
    """What is known of every pixel of a tile; leading axis: the quantity."""

    colours: np.ndarray  # red, green, blue, three stains
    means: np.ndarray  # quantities of which a crop's mean counts
    patterns: list[np.ndarray]  # binary patterns, one map for each circle
    levels: np.ndarray  # for the cooccurrence


def pixel_maps(tile: np.ndarray, nuclei: float) -> Maps:
    """Compute all maps of a tile; near its edge, within `REACH`, they are not to be used."""
    separated = stains(tile)
    hematoxylin = np.ascontiguousarray(separated[:, :, 0])
    down, right = np.gradient(hematoxylin)
    single = [
        np.hypot(down, right),
        separated.mean(axis=2) > TISSUE,
        hematoxylin > nuclei,
    ]
    return Maps(
        np.concatenate([tile.astype(np.float32), separated], axis=2).transpose(2, 0, 1),
        np.concatenate([gabor_energy(hematoxylin), np.asarray(single, dtype=np.float32)]),
        [binary_patterns(levels(hematoxylin, GREYS), *circle) for circle in LBP],
        levels(hematoxylin),
    )


def _windows(maps: np.ndarray, corners: np.ndarray, side: int) -> np.ndarray:
    """Cut squares at (x, y) corners: windows x ... x side x side."""
    step = np.arange(side)
    y, x = corners[:, 1, None] + step, corners[:, 0, None] + step
    cut = maps[..., y[:, :, None], x[:, None, :]]
    return cut if maps.ndim == 2 else np.moveaxis(cut, 1, 0)


def crop_features(maps: Maps, corners: np.ndarray, side: int) -> np.ndarray:
    """
    Describe square crops.

    Parameters
    ----------
    maps
        Of the tile.
    corners
        Left and upper pixel of each crop in the tile, crops x 2.
    side
        Pixels.

    Returns
    -------
    crops x 77: mean, deviation and three quantiles of six colours, 12 Gabor energies, gradient,
    tissue and nuclear fraction, 28 shares of binary patterns, four measures of cooccurrence.
    """
    n = len(corners)
    colours = _windows(maps.colours, corners, side).reshape(n, 6, -1).astype(np.float64)
    quantiles = np.quantile(colours, QUANTILES, axis=2)
    parts = [colours.mean(axis=2), colours.std(axis=2), *quantiles]
    means = _windows(maps.means, corners, side).reshape(n, len(maps.means), -1)
    parts.append(means.mean(axis=2, dtype=np.float64))
    for (points, _), pattern in zip(LBP, maps.patterns, strict=True):
        bins = points + 2
        codes = _windows(pattern, corners, side).reshape(n, -1) + bins * np.arange(n)[:, None]
        parts.append(np.bincount(codes.ravel(), minlength=n * bins).reshape(n, bins) / side**2)
    parts.append(cooccurrence(_windows(maps.levels, corners, side)))
    return np.column_stack(parts)


def _tiles(centres: np.ndarray, inside: np.ndarray, tile: int) -> Iterator[np.ndarray]:
    """Group the spots inside by the tile of the image that holds their centre."""
    tile_of = (centres // tile).astype(int)
    for key in np.unique(tile_of[inside], axis=0):
        yield np.flatnonzero(inside & (tile_of == key).all(axis=1))


def histology_features(
    image: np.ndarray,
    coordinates: np.ndarray,
    scale: float | None,
    pitch: float | None = None,
    tile: int = TILE,
) -> Histology:
    """
    Describe the tissue around every spot at 1, 2 and 3.5 spot diameters.

    The image is reduced by a whole factor to a pitch of 32 to 64 pixels and worked on tile by
    tile; beyond its edge all is white.

    Parameters
    ----------
    image
        As for `as_rgb`.
    coordinates
        Positions, spots x 2 (x, y); pixel = coordinate x scale.
    scale
        Image pixels per unit of the coordinates.
    pitch
        Median nearest distance; measured when None.
    tile
        Side of a tile in pixels of the reduced image; the result does not depend on it.

    Raises
    ------
    ValueError
        For an image that is none, no scale, spots closer than two pixels, or more than half of
        the spots outside the image.
    """
    small, centres, size, inside = _working_image(image, coordinates, scale, pitch)
    nuclei = nuclear_density(small)
    sides = [max(round(SPOT * times * size), LEAST_SIDE) for times in SCALES]
    margin = REACH + max(sides) // 2 + 1
    found = None
    for spots in _tiles(centres, inside, tile):
        low = np.floor(centres[spots].min(axis=0)).astype(int) - margin
        width, height = np.floor(centres[spots].max(axis=0)).astype(int) + margin + 2 - low
        maps = pixel_maps(_padded(small, low[1], low[0], height, width), nuclei)
        for start in range(0, len(spots), SPOTS):
            some = spots[start : start + SPOTS]
            corners = [np.floor(centres[some] - side / 2 + 0.5).astype(int) - low for side in sides]
            rows = [crop_features(maps, *crop) for crop in zip(corners, sides, strict=True)]
            joined = np.concatenate(rows, axis=1)
            if found is None:
                found = np.full((len(centres), joined.shape[1]), np.nan)
            found[some] = joined
    assert found is not None  # at least half of the spots are inside
    return Histology(found, inside)
