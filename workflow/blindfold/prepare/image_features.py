"""Features of the image around every spot that the user brings, computed by any network."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from blindfold.core.errors import BlindfoldError
from blindfold.prepare.labels import separator, some

if TYPE_CHECKING:
    import pandas as pd


def read_image_features(file: Path, cells: pd.Index) -> np.ndarray:
    """Return the features of the spots, matched by name.

    Parameters
    ----------
    file
        Table of numbers, one row a spot and its name first: csv, tsv (gzip allowed) or parquet.
        Fields without a value are spots that the network could not see; rows of other spots are
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
        Where the file is no table of numbers, a value is infinite, a spot stands twice or has no
        row, or no spot has features.
    """
    import pandas as pd

    table = _table(file)
    twice = table.index[table.index.duplicated()].unique()
    if len(twice):
        raise BlindfoldError(
            f"{len(twice)} spots stand twice in the image features", file=file,
            found=some(twice), expected="each spot once",
        )  # fmt: skip
    lonely = cells[~cells.isin(table.index)]
    if len(lonely):
        raise BlindfoldError(
            f"{len(lonely)} of {len(cells)} spots have no image features", file=file,
            found=f"none for {some(lonely)}; rows such as {some(table.index, 1)}",
            expected="a row for every spot, by its name in the raw data",
            remedy="add the rows; leave the fields empty where there is nothing to see",
        )  # fmt: skip
    wrong = [name for name, column in table.items() if not pd.api.types.is_numeric_dtype(column)]
    if wrong or not table.shape[1]:
        raise BlindfoldError(
            "image features are numbers", file=file, field=some(wrong) if wrong else None,
            found="text" if wrong else "no column beside the names",
            remedy="leave out columns of text: labels have no place here",
        )  # fmt: skip
    values = table.loc[cells].to_numpy(dtype=np.float32)
    if np.isinf(values).any() or np.isnan(values).any(axis=1).all():
        raise BlindfoldError(
            "image features are finite numbers", file=file,
            found="infinite values" if np.isinf(values).any() else "no spot with all of them",
        )  # fmt: skip
    return values


def _table(file: Path) -> pd.DataFrame:
    """Read the table, its rows by the spots' names."""
    import pandas as pd

    try:
        if file.suffix == ".parquet":
            table = pd.read_parquet(file)
        else:
            table = pd.read_csv(file, sep=separator(file))
    except (OSError, EOFError, ValueError) as error:
        raise BlindfoldError(
            "cannot read the image features", file=file, found=str(error).splitlines()[0],
            expected="a table as csv, tsv (gzip allowed) or parquet", remedy="get the file again",
        ) from error  # fmt: skip
    if isinstance(table.index, pd.RangeIndex) and table.shape[1]:
        table = table.set_index(table.columns[0])
    table.index = table.index.astype(str)
    return table
