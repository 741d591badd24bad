"""Labels of cells: columns of obs, or of a separate table that is joined by name."""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path
from typing import TYPE_CHECKING

from blindfold.core.datasets import Label, LabelFile
from blindfold.core.errors import BlindfoldError, did_you_mean

if TYPE_CHECKING:
    import pandas as pd


MISSING = ["NA", "NaN", "nan"]
"""What R and pandas write into text where there is no value; an empty field means the same."""


def as_text(values: pd.Series) -> pd.Series:
    """Return values as strings, whole numbers without a fraction; empty ones as None.

    ``1``, ``1.0`` and ``"1.0"`` are the same class ``"1"``: where every value is a whole number.
    """
    import pandas as pd

    plain = values.astype(object)
    text = plain.where(plain.notna(), "").map(_decoded).astype(str).str.strip()
    if text[text != ""].str.fullmatch(r"[+-]?\d+(\.0*)?").all():
        text = text.str.replace(r"\.0*$", "", regex=True)
    return pd.Series(text.where(text != "", None).to_numpy(dtype=object), index=values.index)


def _decoded(value: object) -> object:
    return value.decode() if isinstance(value, bytes) else value


def read_labels(
    obs: pd.DataFrame, label: Label | None, files: dict[str, Path], file: Path
) -> tuple[pd.DataFrame, dict[str, int]]:
    """Return the label columns of the cells, as text with None where there is no label.

    Parameters
    ----------
    obs
        One row a cell, by name.
    label
        The card's labels.
    files
        Raw files by role.
    file
        Named in errors about ``obs``.

    Returns
    -------
    tuple of pandas.DataFrame and dict
        The columns, the main one first, in the order of ``obs``; and how many cells and rows had
        no partner in the label file.

    Raises
    ------
    BlindfoldError
        For a missing column, a cell that stands twice in the file, cells or rows without a
        partner, and classes to merge that do not exist.
    """
    import pandas as pd

    if label is None:
        return pd.DataFrame(index=obs.index), {}
    source = obs
    report: dict[str, int] = {}
    if label.file is not None:
        file = files[label.file.role]
        source, report = join(read_table(file, label.file), obs.index, label.file, file)
    columns = {name: column_of(source, name, file) for name in [label.column, *label.more]}
    for name, column in columns.items():
        columns[name] = column.where(~column.isin(label.missing), None)
    columns[label.column] = _merged(columns[label.column], label.merge, file)
    return pd.DataFrame(columns, index=obs.index), report


def column_of(table: pd.DataFrame, name: str, file: Path) -> pd.Series:
    """Return a column as text.

    Raises
    ------
    BlindfoldError
        Where there is no such column; the nearest is suggested.
    """
    if name not in table:
        raise BlindfoldError(
            f"no column {name!r}", file=file, field="obs",
            remedy=did_you_mean(name, map(str, table.columns)),
        )  # fmt: skip
    return as_text(table[name])


def _merged(column: pd.Series, merge: dict[str, str], file: Path) -> pd.Series:
    """Rename the classes that cannot be told apart."""
    known = set(column.dropna())
    for old in merge:
        if old not in known:
            raise BlindfoldError(
                f"no class {old!r} to merge", file=file, field="label.merge",
                remedy=did_you_mean(old, known),
            )  # fmt: skip
    return column.map(lambda value: merge.get(value, value))


def read_table(file: Path, source: LabelFile) -> pd.DataFrame:
    """Read a label file, its rows by cell name.

    Parameters
    ----------
    file
        csv, or tsv and other text separated by tabs; gzip allowed. The first line tells where the
        name does not.
    source
        Key, header and the rows to keep.

    Returns
    -------
    pandas.DataFrame
        Every column as text, the index is the cell's name.

    Raises
    ------
    BlindfoldError
        Where the file is no table, or a column is missing, or a cell stands twice.
    """
    table = _text_table(file, source.header)
    for name, value in source.where.items():
        table = table[column_of(table, name, file) == value]
    key = table.columns[0] if source.key is None else source.key
    names = column_of(table, key, file).fillna("").to_numpy(dtype=object)
    table = table.set_axis(names, axis=0)
    if not table.index.is_unique:
        twice = table.index[table.index.duplicated()].unique()
        raise BlindfoldError(
            f"{len(twice)} cells stand twice in the label file", file=file, field=str(key),
            found=some(twice), expected="each cell once",
        )  # fmt: skip
    return table


def _text_table(file: Path, header: bool) -> pd.DataFrame:
    """Read every column as text; where there is no header, columns are named 0, 1, ..."""
    import pandas as pd

    try:
        table = pd.read_csv(
            file, sep=separator(file), header=0 if header else None, dtype=str,
            keep_default_na=False, na_values=MISSING,
        )  # fmt: skip
    except (OSError, EOFError, ValueError) as error:
        raise BlindfoldError(
            "cannot read the label file", file=file, found=str(error).splitlines()[0],
            expected="a table as csv or tsv, gzip allowed", remedy="get the file again",
        ) from error  # fmt: skip
    if not isinstance(table.index, pd.RangeIndex):
        # a header one name short, as R writes it: the first column has no name
        table = table.reset_index(names="")
    return table.set_axis([str(name) for name in table.columns], axis=1)


def separator(file: Path) -> str:
    """Return what separates the columns: as the name says, unless the first line disagrees."""
    import gzip

    with gzip.open(file, "rt") if file.suffix == ".gz" else file.open() as handle:
        first = handle.readline()
    usual, other = (",", "\t") if ".csv" in file.suffixes else ("\t", ",")
    return other if other in first and usual not in first else usual


def join(
    table: pd.DataFrame, cells: pd.Index, source: LabelFile, file: Path
) -> tuple[pd.DataFrame, dict[str, int]]:
    """Return the rows of a label table in the order of the cells, matched by name.

    Parameters
    ----------
    table
        Rows by cell name, each once.
    cells
        Names in the wanted order.
    source
        Says what happens to cells and rows without a partner.
    file
        Named in errors.

    Returns
    -------
    tuple of pandas.DataFrame and dict
        Cells without a row have missing values; and how many there are on each side.

    Raises
    ------
    BlindfoldError
        Where no name agrees, or where some do not and the card does not allow it.
    """
    lonely_cells, lonely_rows = cells[~cells.isin(table.index)], table.index.difference(cells)
    if len(lonely_cells) == len(cells):
        raise BlindfoldError(
            "no cell is named in the label file", file=file,
            found=f"cells such as {some(cells, 1)}, rows such as {some(table.index, 1)}",
            expected="the same names on both sides", remedy="look at label.file.key and where",
        )  # fmt: skip
    if source.unmatched == "refuse" and (len(lonely_cells) or len(lonely_rows)):
        found = [
            f"{len(names)} {what}, such as {some(names)}"
            for names, what in (
                (lonely_cells, "cells without a row"), (lonely_rows, "rows without a cell"),
            ) if len(names)
        ]  # fmt: skip
        raise BlindfoldError(
            "cells and labels do not match", file=file, field="label.file",
            found="; ".join(found), expected="one row for every cell, and no more",
            remedy="mend the file, or let the card say unmatched: report",
        )  # fmt: skip
    counts = {"cells_without_row": len(lonely_cells), "rows_without_cell": len(lonely_rows)}
    return table.reindex(cells), counts


def some(names: Iterable[object], most: int = 3) -> str:
    """Return a few names as examples."""
    shown = list(names)
    return ", ".join(repr(str(name)) for name in shown[:most]) + (" ..." * (len(shown) > most))
