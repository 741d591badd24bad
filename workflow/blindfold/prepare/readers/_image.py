"""Images of tissues."""

from __future__ import annotations

from pathlib import Path

import numpy as np

from blindfold.core.errors import BlindfoldError


def read_image(file: Path) -> np.ndarray:
    """Return a picture.

    Returns
    -------
    numpy.ndarray
        uint8, height x width x 3 (red, green, blue).

    Raises
    ------
    BlindfoldError
        Where the file is no picture, or a truncated one.
    """
    from PIL import Image

    try:
        with Image.open(file) as picture:
            return np.array(picture.convert("RGB"), dtype=np.uint8)
    except (OSError, SyntaxError) as error:
        raise BlindfoldError(
            "cannot read the image: truncated, damaged or no picture", file=file,
            found=str(error).partition("\n")[0], expected="a PNG, JPEG or TIFF file",
        ) from error  # fmt: skip
