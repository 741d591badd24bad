"""Coordinates of cells, their pitch, and the image around them."""

from __future__ import annotations

from pathlib import Path

import numpy as np
from scipy.spatial import cKDTree

from blindfold.core.datasets import DatasetCard
from blindfold.core.errors import BlindfoldError

TOLERANCE = 0.05
"""How far the measured pitch may lie from the card's."""

MARGIN = 2
"""Pitches of image that are kept around the outermost spots."""

SECTION_GAP = 10
"""Pitches between two sections, far beyond any neighbourhood."""


def check_coordinates(coordinates: np.ndarray, names: list[str], file: Path) -> None:
    """Check that every cell has finite coordinates in the plane.

    Raises
    ------
    BlindfoldError
        For another shape than cells x 2, or a value that is not finite.
    """
    if coordinates.shape != (len(names), 2):
        raise BlindfoldError(
            "coordinates of the wrong shape", file=file, field="obsm.spatial",
            found=coordinates.shape, expected=(len(names), 2),
        )  # fmt: skip
    bad = ~np.isfinite(coordinates).all(axis=1)
    if bad.any():
        row = int(np.argmax(bad))
        raise BlindfoldError(
            f"{int(bad.sum())} cells have no coordinates", file=file,
            field=f"obsm.spatial, row {row} ({names[row]!r})", found=coordinates[row],
            expected="finite numbers", remedy="leave these cells out, or correct the file",
        )  # fmt: skip


def count_repeated(coordinates: np.ndarray, names: list[str], card: DatasetCard, file: Path) -> int:
    """Return the number of cells at the coordinates of an earlier cell.

    Raises
    ------
    BlindfoldError
        Where there are any and the card does not say that they are kept.
    """
    _, first = np.unique(coordinates, axis=0, return_index=True)
    repeated = np.setdiff1d(np.arange(len(coordinates)), first)
    if len(repeated) and card.repair.duplicate_spots == "refuse":
        row = int(repeated[0])
        raise BlindfoldError(
            f"{len(repeated)} cells have the coordinates of another cell", file=file,
            field=f"obsm.spatial, row {row} ({names[row]!r})", found=coordinates[row],
            expected="one cell at each position",
            remedy="correct the file, or let the card say repair: {duplicate_spots: keep}",
        )  # fmt: skip
    return len(repeated)


def pitch(coordinates: np.ndarray) -> float:
    """Return the median distance to the nearest neighbour, in the unit of the coordinates.

    Parameters
    ----------
    coordinates
        N x 2; several cells at one position count as one. NaN where there is one position alone.
    """
    distinct = np.unique(coordinates, axis=0)
    if len(distinct) < 2:
        return float("nan")
    distance, _ = cKDTree(distinct).query(distinct, k=2)
    return float(np.median(distance[:, 1]))


def measure_pitch(coordinates: np.ndarray, card: DatasetCard, file: Path) -> float:
    """Return the pitch, checked against the card.

    Raises
    ------
    BlindfoldError
        Where all cells lie at one position, or the card promises another pitch.
    """
    measured = pitch(coordinates)
    if np.isnan(measured):
        raise BlindfoldError("all cells lie at one position", file=file, field="obsm.spatial")
    if card.pitch is not None and abs(measured - card.pitch) > TOLERANCE * card.pitch:
        raise BlindfoldError(
            "the pitch differs from the card", file=file, field="pitch", found=f"{measured:.6g}",
            expected=f"{card.pitch:g} within {TOLERANCE:.0%}",
            remedy="check the unit of the coordinates, or correct the card",
        )  # fmt: skip
    return measured


def side_by_side(sections: list[np.ndarray], gap: float) -> list[np.ndarray]:
    """Return the coordinates of sections, moved along x so that they lie ``gap`` apart.

    Parameters
    ----------
    sections
        Each N_i x 2; all begin at the same x, where the first one stays.
    gap
        Distance along x from the last spot of a section to the first of the next.
    """
    moved, shift = [], 0.0
    for section in sections:
        moved.append(section + np.array([shift, 0.0]))
        shift += np.ptp(section[:, 0]) + gap
    return moved


def crop_image(
    image: np.ndarray, coordinates: np.ndarray, scale: float, margin: float, file: Path
) -> tuple[np.ndarray, np.ndarray]:
    """Cut the image to the tissue and move the coordinates with it.

    Parameters
    ----------
    image
        height x width x 3, uint8.
    coordinates
        N x 2 (x, y); pixel = coordinate x scale.
    scale
        Image pixels per unit of the coordinates.
    margin
        What is kept around the outermost spots, in the unit of the coordinates.
    file
        Named in errors.

    Returns
    -------
    tuple of numpy.ndarray
        The smaller image; coordinates for which pixel = coordinate x scale holds in it.

    Raises
    ------
    BlindfoldError
        Where a spot lies outside the image.
    """
    size = np.array(image.shape[1::-1])
    outside = ((coordinates * scale < 0) | (coordinates * scale > size)).any(axis=1)
    if outside.any():
        row = int(np.argmax(outside))
        raise BlindfoldError(
            f"{int(outside.sum())} spots lie outside the image", file=file,
            field=f"obsm.spatial, row {row}",
            found=f"pixel {np.round(coordinates[row] * scale, 1)}",
            expected=f"x to {size[0]}, y to {size[1]}", remedy="check the scale of the image",
        )  # fmt: skip
    # a millionth of a pixel: rounding of a product must not cost a row of pixels
    low = np.floor((coordinates.min(axis=0) - margin) * scale + 1e-6).astype(int).clip(0)
    high = np.ceil((coordinates.max(axis=0) + margin) * scale - 1e-6).astype(int).clip(1, size)
    cut = image[low[1] : high[1], low[0] : high[0]]
    return np.ascontiguousarray(cut), coordinates - low / scale
