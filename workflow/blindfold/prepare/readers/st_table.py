"""Spatial Transcriptomics: counts with rows named ``<x>x<y>``, and tables of array positions."""

from __future__ import annotations

import csv
import gzip
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import scipy.sparse as sp
from pydantic import Field

from blindfold.core import io
from blindfold.core.datasets import DatasetCard
from blindfold.core.errors import BlindfoldError
from blindfold.core.strict import Strict
from blindfold.prepare.readers._image import read_image
from blindfold.prepare.readers._parts import assemble, choose, join_by_name

if TYPE_CHECKING:
    import pandas as pd
    from anndata import AnnData


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


def read(files: dict[str, Path], options: dict[str, Any], card: DatasetCard) -> AnnData:
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
    chosen = io.validate(Options, options, f"card {card.title!r}: options")
    file = files["counts"]
    table = _table(file, index_col=0, header=None, skiprows=1)
    spots = [str(name) for name in table.index]
    obs = {}
    if card.label is not None:
        labels = _at_spots(files["labels"], spots)
        for column in (card.label.column, *card.label.more):
            obs[column] = choose(labels, column, "label.column", files["labels"])
    adata = assemble(_counts(table, file), spots, _genes(file), obs, file)
    selection = _at_spots(files["coordinates"], spots)
    pixels = [
        choose(selection, name, "columns", files["coordinates"]) for name in ("pixel_x", "pixel_y")
    ]
    adata.obsm["spatial"] = np.column_stack(pixels).astype(np.float64)
    if card.image:
        adata.uns["image"], adata.uns["scale"] = _image(files["image"], chosen)
    return adata


def _table(file: Path, **how: Any) -> pd.DataFrame:
    import pandas as pd

    try:
        return pd.read_csv(file, sep="\t", low_memory=False, **how)
    except (ValueError, OSError, EOFError) as error:
        raise BlindfoldError(
            "cannot read the table", file=file, found=str(error).partition("\n")[0],
            expected="tab separated columns, gzip allowed",
        ) from error  # fmt: skip


def _genes(file: Path) -> list[str]:
    """Return the gene names as they stand; pandas would rename one that stands twice."""
    with gzip.open(file, "rt") if file.suffix == ".gz" else file.open() as handle:
        return next(csv.reader(handle, delimiter="\t"))[1:]


def _counts(table: pd.DataFrame, file: Path) -> sp.csr_matrix:
    odd = [str(place) for place, kind in table.dtypes.items() if kind.kind not in "biuf"]
    if odd:
        raise BlindfoldError(
            f"{len(odd)} columns hold no numbers", file=file, field=f"column {odd[0]}",
            expected="one row a spot, one column a gene",
        )  # fmt: skip
    return sp.csr_matrix(table.to_numpy())


def _at_spots(file: Path, spots: list[str]) -> pd.DataFrame:
    """Return a table's rows for the spots; positions are rounded to those of the array."""
    table = _table(file)
    xy = [choose(table, name, "columns", file) for name in ("x", "y")]
    # a spot that the annotation could not place has no position
    placed = xy[0].notna() & xy[1].notna()
    columns, rows = (each[placed].round().astype(int).astype(str) for each in xy)
    return join_by_name(table[placed], columns + "x" + rows, spots, file)


def _image(file: Path, chosen: Options) -> tuple[np.ndarray, float]:
    """Return the image and its pixels per pixel of the full image."""
    image = read_image(file)
    for part in chosen.cover:
        image[part.top : part.bottom, part.left : part.right] = 0
    return image, image.shape[1] / (chosen.full_width or image.shape[1])
