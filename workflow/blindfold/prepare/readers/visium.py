"""10x Visium, as Space Ranger leaves it: counts, spot positions, scale factors and image."""

from __future__ import annotations

from pathlib import Path
from typing import Any, Literal

import numpy as np
import pandas as pd
from anndata import AnnData
from pydantic import Field

from blindfold.core import io
from blindfold.core.datasets import DatasetCard
from blindfold.core.errors import BlindfoldError
from blindfold.core.strict import Strict
from blindfold.prepare.readers import reader
from blindfold.prepare.readers._assemble import repeated_names_allowed
from blindfold.prepare.readers._image import read_image
from blindfold.prepare.readers._pixel_labels import labels_at
from blindfold.prepare.reading import match_rows, reading, text

COLUMNS = (
    "barcode", "in_tissue", "array_row", "array_col", "pxl_row_in_fullres", "pxl_col_in_fullres",
)  # fmt: skip
"""Columns of a positions file; before Space Ranger 2 it had no header."""


class Counts(Strict):
    """Another format of the counts than Space Ranger's."""

    reader: str = Field("tenx_h5", description="reader of the counts, named by barcodes")
    options: dict[str, Any] = Field({}, description="its options")


class Options(Strict):
    """Options of the reader."""

    counts: Counts = Field(Counts(), description="how the counts are read")
    resolution: Literal["lowres", "hires"] = Field("lowres", description="which image it is")
    pixel_labels: bool = Field(
        False, description="labels come as arrays, matched through pixel coordinates"
    )


def read(files: dict[str, Path], options: Options, card: DatasetCard) -> AnnData:
    """Read the spots under tissue.

    Parameters
    ----------
    files
        Roles: what the reader of the counts wants (``counts``); ``positions``, csv with or without
        header, or parquet; for a card with an image also ``image`` and ``scalefactors``; with
        ``pixel_labels`` also ``labels`` (names) and ``label_pixels`` (x, y), both ``.npy``.
    options
        See `Options`.
    card
        The dataset's card.

    Returns
    -------
    anndata.AnnData
        Spots in the order of the counts, without those off the tissue; ``obsm["spatial"]`` in
        full-resolution pixels.

    Raises
    ------
    BlindfoldError
        Where a barcode has no position, or a file is not what Space Ranger writes.
    """
    adata = reader(options.counts.reader)(files, options.counts.options, card)
    file = files["positions"]
    table = read_positions(file)
    table = match_rows(table, table["barcode"], adata.obs_names, file)
    in_tissue = (table["in_tissue"] == 1).to_numpy()
    if not in_tissue.all():
        with repeated_names_allowed():
            adata = adata[in_tissue].copy()
    pixels = table.loc[in_tissue, ["pxl_col_in_fullres", "pxl_row_in_fullres"]]
    adata.obsm["spatial"] = pixels.to_numpy(dtype=np.float64)
    if card.image:
        adata.uns["image"] = read_image(files["image"])
        adata.uns["scale"] = read_scale(files["scalefactors"], options.resolution)
    if options.pixel_labels and card.label is not None:
        adata.obs[card.label.column] = labels_at(
            adata.obsm["spatial"], files["labels"], files["label_pixels"]
        )
    return adata


def read_positions(file: Path) -> pd.DataFrame:
    """Return a positions file of any Space Ranger.

    Returns
    -------
    pandas.DataFrame
        `COLUMNS`, one row a spot of the slide.

    Raises
    ------
    BlindfoldError
        Where the file is no such table.
    """
    expected = (
        "tissue_positions_list.csv, tissue_positions.csv or tissue_positions.parquet with the "
        "columns " + ", ".join(COLUMNS)
    )
    with reading(file, "the spot positions", expected):
        if file.suffix == ".parquet":
            table = pd.read_parquet(file)
        else:
            with file.open() as handle:
                named = handle.readline().startswith(COLUMNS[0])
            table = pd.read_csv(file, header=0 if named else None)
            if not named and table.shape[1] == len(COLUMNS):
                table.columns = pd.Index(COLUMNS)
        table = table[list(COLUMNS)]
    return table.assign(barcode=text(table["barcode"]))


def read_scale(file: Path, resolution: str) -> float:
    """Return image pixels per full-resolution pixel.

    Parameters
    ----------
    file
        ``scalefactors_json.json``.
    resolution
        ``lowres`` or ``hires``.

    Raises
    ------
    BlindfoldError
        Where the file does not hold this factor, as a positive number.
    """
    factors, name = io.read_json(file), f"tissue_{resolution}_scalef"
    scale = factors.get(name) if isinstance(factors, dict) else None
    if not isinstance(scale, int | float) or not 0 < scale < np.inf:
        raise BlindfoldError(
            "no scale factor of the image", file=file, field=name, found=scale,
            expected="a positive number",
        )  # fmt: skip
    return float(scale)
