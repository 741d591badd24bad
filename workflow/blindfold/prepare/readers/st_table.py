"""Spatial Transcriptomics: counts with rows named ``<x>x<y>``, and tables of array positions."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pandas as pd
from anndata import AnnData
from pydantic import Field

from blindfold.core.datasets import DatasetCard
from blindfold.core.strict import Strict
from blindfold.prepare.readers._assemble import assemble, coordinates_of
from blindfold.prepare.readers._image import read_image
from blindfold.prepare.readers._text_table import read_text_table
from blindfold.prepare.reading import lookup, match_rows, reading


class Cover(Strict):
    """A rectangle of image pixels, the last row and column excluded."""

    left: int = Field(ge=0)
    top: int = Field(ge=0)
    right: int = Field(gt=0)
    bottom: int = Field(gt=0)


class Options(Strict):
    """Options of the reader."""

    full_width: float | None = Field(
        None,
        gt=0,
        description="of a reduced image: width of the one whose pixels the coordinates are",
    )
    cover: list[Cover] = Field(
        [], description="parts of the image painted black, such as a drawing of the annotation"
    )


def read(files: dict[str, Path], options: Options, card: DatasetCard) -> AnnData:
    """Read spots, their pixels and their labels, all joined by the array position in the name.

    Parameters
    ----------
    files
        Roles ``counts`` (first column ``<x>x<y>``), ``coordinates`` (columns x, y, pixel_x,
        pixel_y), ``labels`` where the card has a label (columns x, y, which are rounded, and the
        label), ``image`` where it has one.
    options
        See `Options`.
    card
        The dataset's card.

    Returns
    -------
    anndata.AnnData
        Spots with ``obsm["spatial"]`` in pixels of the full image.

    Raises
    ------
    BlindfoldError
        Where a file is no such table, or a spot of the counts has no position or no label row.
    """
    table = read_text_table(files["counts"], header=1, leading=1, others=[])
    spots = table.leading[0]
    obs = {}
    if card.label is not None:
        labels = _at_spots(files["labels"], spots)
        for column in (card.label.column, *card.label.more):
            obs[column] = lookup(labels, column, "label.column", files["labels"])
    adata = assemble(table.values, spots, table.columns[0], obs, files["counts"])
    pixels, names = _at_spots(files["coordinates"], spots), ("pixel_x", "pixel_y")
    adata.obsm["spatial"] = coordinates_of(pixels, names, "columns", files["coordinates"])
    if card.image:
        adata.uns["image"], adata.uns["scale"] = _image(files["image"], options)
    return adata


def _at_spots(file: Path, spots: list[str]) -> pd.DataFrame:
    """Return a table's rows for the spots; positions are rounded to those of the array."""
    with reading(file, "the table", "tab separated columns, gzip allowed"):
        table = pd.read_csv(file, sep="\t", low_memory=False)
    xy = [lookup(table, name, "columns", file) for name in ("x", "y")]
    # a spot for which the annotation found no position has none
    known = xy[0].notna() & xy[1].notna()
    columns, rows = (each[known].round().astype(int).astype(str) for each in xy)
    return match_rows(table[known], columns + "x" + rows, spots, file)


def _image(file: Path, chosen: Options) -> tuple[np.ndarray, float]:
    """Return the image and its pixels per pixel of the full image."""
    image = read_image(file)
    for part in chosen.cover:
        image[part.top : part.bottom, part.left : part.right] = 0
    return image, image.shape[1] / (chosen.full_width or image.shape[1])
