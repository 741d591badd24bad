"""Images of tissues."""

from __future__ import annotations

from pathlib import Path

import numpy as np
from PIL import Image

from blindfold.prepare.reading import reading


def read_image(file: Path) -> np.ndarray:
    """Return an image.

    Returns
    -------
    numpy.ndarray
        uint8, height x width x 3 (red, green, blue).

    Raises
    ------
    BlindfoldError
        Where the file is no image, or a truncated one.
    """
    with reading(file, "the image", "a PNG, JPEG or TIFF file"), Image.open(file) as image:
        return np.array(image.convert("RGB"), dtype=np.uint8)
