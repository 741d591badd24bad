"""An image mapped to the colours of its own best patches."""

from __future__ import annotations

from collections.abc import Callable
from typing import NamedTuple

import numpy as np
from scipy.ndimage import sobel
from skimage.color import rgb2hsv, rgb2lab

from methods.shared.clustering.kmeans import kmeans
from methods.shared.graphs.neighbors import pitch_of
from methods.shared.image.features import reduced

PATCH = 3  # side in pitches
PITCH_PIXELS = 20  # images finer than this are reduced by a whole factor
STRIP = 512  # rows worked on at a time
DARK = 600  # sum of red, green and blue below which there is tissue
BEST = 0.3
KEPT, LEAST = 0.05, 5
GREY = np.array([0.299, 0.587, 0.114], dtype=np.float32)


class Boxes:
    """
    Rectangles of an image, over which maps are summed at the cost of their corners.

    Parameters
    ----------
    centres
        In pixels (x, y), boxes x 2, within the image.
    side
        Pixels.
    shape
        Height and width of the image; what lies beyond its edge is cut off.
    """

    def __init__(self, centres: np.ndarray, side: int, shape: tuple[int, int]) -> None:
        low = np.floor(centres - side / 2 + 0.5).astype(int)
        width, height = shape[::-1]
        self.left, self.right = (np.clip(low[:, 0] + d, 0, width) for d in (0, side))
        self.top, self.bottom = (np.clip(low[:, 1] + d, 0, height) for d in (0, side))
        self.area = (self.right - self.left) * (self.bottom - self.top)

    def sums(self, values: np.ndarray) -> np.ndarray:
        """Sum a map, height x width, over every box."""
        table = np.zeros((values.shape[0] + 1, values.shape[1] + 1))
        np.cumsum(values, axis=0, out=table[1:, 1:])
        np.cumsum(table[1:, 1:], axis=1, out=table[1:, 1:])
        top, bottom, left, right = self.top, self.bottom, self.left, self.right
        return np.asarray(
            table[bottom, right] - table[top, right] - table[bottom, left] + table[top, left]
        )

    def means(self, values: np.ndarray) -> np.ndarray:
        """Average a map over every box."""
        return self.sums(values) / self.area

    def deviations(self, values: np.ndarray) -> np.ndarray:
        """Return the deviation of a map within every box."""
        values = np.asarray(values, dtype=np.float64)
        return np.sqrt(np.maximum(self.means(values**2) - self.means(values) ** 2, 0))


def by_strips(change: Callable[[np.ndarray], np.ndarray], image: np.ndarray) -> np.ndarray:
    """Change an image pixel by pixel, some rows at a time."""
    return np.concatenate([change(image[i : i + STRIP]) for i in range(0, len(image), STRIP)])


def hue_saturation(image: np.ndarray) -> np.ndarray:
    """Return hue (0 to 180) and saturation (0 to 255), height x width x 2, of 8-bit colours."""
    return rgb2hsv(image)[:, :, :2] * (180, 255)


class Patches(NamedTuple):
    """What is known of every patch."""

    score: np.ndarray  # how much stained, structured tissue, patches
    colours: np.ndarray  # patches x 10


def describe(image: np.ndarray, boxes: Boxes) -> Patches:
    """
    Score patches and describe their colours.

    Parameters
    ----------
    image
        height x width x 3, uint8.
    boxes
        The patches.
    """
    grey = image.astype(np.float32) @ GREY
    channels = [image[:, :, c].astype(np.float32) for c in range(3)]
    deviation = np.column_stack([boxes.deviations(c) for c in channels])
    grey_deviation = boxes.deviations(grey)
    hue, saturation = np.moveaxis(by_strips(hue_saturation, image), 2, 0)
    vivid = saturation > 50
    stained = vivid & (((hue >= 100) & (hue <= 140)) | (hue >= 150) | (hue <= 20))
    middling = 1 - 2 * np.abs(boxes.means(saturation) / 255 - 0.5)
    stain = 0.7 * boxes.means(stained) + 0.3 * middling
    gradient = np.hypot(sobel(grey, axis=0), sobel(grey, axis=1))
    score = (
        0.30 * boxes.means(tissue(image))
        + 0.20 * grey_deviation / 255
        + 0.25 * stain
        + 0.15 * boxes.means(gradient) / 255
        + 0.10 * deviation.mean(axis=1) / 255
    )
    means = [boxes.means(c) for c in (*channels, *np.moveaxis(by_strips(rgb2lab, image), 2, 0))]
    return Patches(score, np.column_stack([*means, deviation, grey_deviation]))


def tissue(image: np.ndarray) -> np.ndarray:
    """Mark pixels that are not background, height x width."""
    return np.asarray(image.sum(axis=2, dtype=np.int32) < DARK)


def best_patches(patches: Patches, rng: np.random.Generator) -> np.ndarray:
    """Choose among the upper 30 % by score a patch near the centre of each group of colours."""
    count = max(int(np.ceil(BEST * len(patches.score))), 1)
    top = np.argsort(-patches.score, kind="stable")[:count]
    colours = patches.colours[top] - patches.colours[top].mean(axis=0)
    deviation = colours.std(axis=0)
    colours /= np.where(deviation > 1e-9, deviation, 1.0)
    n_groups = min(max(LEAST, int(KEPT * len(patches.score))), count)
    groups = kmeans(colours, n_groups, rng, n_starts=10)
    chosen = []
    for group in np.unique(groups):
        members = np.flatnonzero(groups == group)
        centre = colours[members].mean(axis=0)
        chosen.append(members[((colours[members] - centre) ** 2).sum(axis=1).argmin()])
    return top[np.array(chosen)]


class Colours(NamedTuple):
    """Mean and deviation of red, green and blue among tissue pixels."""

    mean: np.ndarray
    deviation: np.ndarray


def colours_within(image: np.ndarray, boxes: Boxes, chosen: np.ndarray) -> Colours | None:
    """Pool the tissue pixels of chosen patches; None where there are none."""
    stained = tissue(image)
    count = boxes.sums(stained)[chosen].sum()
    if not count:
        return None
    channels = [image[:, :, c] * stained.astype(np.float64) for c in range(3)]
    mean = np.array([boxes.sums(c)[chosen].sum() for c in channels]) / count
    square = np.array([boxes.sums(c**2)[chosen].sum() for c in channels]) / count
    return Colours(mean, np.sqrt(np.maximum(square - mean**2, 0)))


def mapping(own: Colours, wanted: Colours) -> np.ndarray:
    """
    Map every 8-bit level linearly so that mean and deviation become those wanted.

    Returns
    -------
    256 x 3, neither rounded nor clipped; a channel without deviation is shifted alone.
    """
    flat = own.deviation < 1e-9
    slope = np.where(flat, 1.0, wanted.deviation / np.where(flat, 1.0, own.deviation))
    return (np.arange(256)[:, None] - own.mean) * slope + wanted.mean


def even_colours(
    image: np.ndarray,
    coordinates: np.ndarray,
    scale: float | None,
    pitch: float | None,
    rng: np.random.Generator,
) -> np.ndarray:
    """
    Map an image linearly so that its tissue gets the colours of its best patches.

    Parameters
    ----------
    image
        height x width x 3, uint8.
    coordinates
        Positions, spots x 2 (x, y); pixel = coordinate x scale.
    scale
        Image pixels per unit of the coordinates.
    pitch
        Median nearest distance; measured when None.
    rng
        Of the k-means among patches.

    Returns
    -------
    height x width x 3, uint8. The same image where there is no scale, no spot within the image or
    no tissue around one: `histology_features` refuses what cannot be used.
    """
    if not scale or not np.isfinite(scale) or scale < 0:
        return image
    size = (pitch or pitch_of(coordinates)) * scale
    factor = min(max(round(size / PITCH_PIXELS), 1), max(image.shape[:2]))
    small = reduced(image, factor)
    shape = small.shape[:2]
    centres = np.asarray(coordinates, dtype=float) * scale / factor
    centres = centres[np.all((centres >= 0) & (centres < shape[::-1]), axis=1)]
    if not len(centres):
        return image
    side = max(round(PATCH * size / factor), 3)
    boxes = Boxes(centres, side, shape)
    chosen = best_patches(describe(small, boxes), rng)
    everywhere = Boxes(np.array(shape[::-1])[None] / 2, 2 * max(shape), shape)
    own = colours_within(small, everywhere, np.array([0]))
    wanted = colours_within(small, boxes, chosen)
    if own is None or wanted is None:
        return image
    levels = np.clip(np.rint(mapping(own, wanted)), 0, 255).astype(np.uint8)
    return np.stack([levels[:, c][image[:, :, c]] for c in range(3)], axis=2)
