"""Features of the image around every spot, computed by any network and given by the user."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pandas as pd

from blindfold.core.errors import BlindfoldError
from blindfold.prepare.reading import examples, match_rows, reading, separator


def read_image_features(file: Path, cells: pd.Index) -> np.ndarray:
    """Return the features of the spots, matched by name.

    Parameters
    ----------
    file
        Table of numbers, one row for each spot with its name first: csv, tsv (gzip allowed) or
        parquet. Empty fields mean that the network could not see the spot; rows of other spots are
        left out.
    cells
        Names of the spots in the wanted order.

    Returns
    -------
    numpy.ndarray
        spots x features, float32; NaN where there is no value.

    Raises
    ------
    BlindfoldError
        Where the file is no table of numbers, a value is infinite, a spot has no row or several,
        or no spot has features.
    """
    remedy = "add the rows; leave the fields empty where there is nothing to see"
    table = _table(file)
    table = match_rows(table, table.index, cells, file, remedy)
    wrong = [name for name, column in table.items() if not pd.api.types.is_numeric_dtype(column)]
    if wrong or not table.shape[1]:
        raise BlindfoldError(
            "image features are numbers", file=file, field=examples(wrong) if wrong else None,
            found="text" if wrong else "no column beside the names",
            remedy="leave out columns of text: image features carry no labels",
        )  # fmt: skip
    values = table.to_numpy(dtype=np.float32)
    if np.isinf(values).any() or np.isnan(values).any(axis=1).all():
        raise BlindfoldError(
            "image features are finite numbers", file=file,
            found="infinite values" if np.isinf(values).any() else "no spot with all of them",
        )  # fmt: skip
    return values


def _table(file: Path) -> pd.DataFrame:
    """Read the table, its rows by the spots' names."""
    with reading(file, "the image features", "a table as csv, tsv (gzip allowed) or parquet"):
        if file.suffix == ".parquet":
            table = pd.read_parquet(file)
        else:
            table = pd.read_csv(file, sep=separator(file))
    if isinstance(table.index, pd.RangeIndex) and table.shape[1]:
        table = table.set_index(table.columns[0])
    return table
