"""Labels of cells: columns of obs, or of a separate table whose rows are matched by name."""

from __future__ import annotations

from pathlib import Path

import pandas as pd

from blindfold.core.datasets import Label, LabelFile
from blindfold.core.errors import BlindfoldError, did_you_mean
from blindfold.prepare.reading import as_text, check_unique, examples, lookup, reading, separator

MISSING = ["NA", "NaN", "nan"]
"""What R and pandas write into text where there is no value; an empty field means the same."""


def read_labels(
    obs: pd.DataFrame, label: Label | None, files: dict[str, Path], file: Path
) -> tuple[pd.DataFrame, dict[str, int]]:
    """Return the label columns of the cells, as text with None where there is no label.

    Parameters
    ----------
    obs
        One row for each cell, by name.
    label
        The card's labels.
    files
        Raw files by role.
    file
        Named in errors about ``obs``.

    Returns
    -------
    tuple of pandas.DataFrame and dict
        The columns, the main one first, in the order of ``obs``; and how many cells and rows have
        no counterpart in the label file.

    Raises
    ------
    BlindfoldError
        For a missing column, a cell with several rows in the file, cells or rows without a
        counterpart, and classes to merge that do not exist.
    """
    if label is None:
        return pd.DataFrame(index=obs.index), {}
    table = obs
    unmatched: dict[str, int] = {}
    if label.file is not None:
        file = files[label.file.role]
        table, unmatched = match_labels(read_table(file, label.file), obs.index, label.file, file)
    columns = {name: text_column(table, name, file) for name in [label.column, *label.more]}
    for name, column in columns.items():
        columns[name] = column.where(~column.isin(label.missing), None)
    columns[label.column] = _merged(columns[label.column], label.merge, file)
    return pd.DataFrame(columns, index=obs.index), unmatched


def text_column(table: pd.DataFrame, name: str, file: Path) -> pd.Series:
    """Return a column of obs or of a label file as text."""
    return as_text(lookup(table, name, "column", file))


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
        csv, or tsv and other text separated by tabs; gzip allowed.
    source
        Key, header and the rows to keep.

    Returns
    -------
    pandas.DataFrame
        Every column as text; the index is the cell's name.

    Raises
    ------
    BlindfoldError
        Where the file is no table, a column is missing, or a cell has several rows.
    """
    table = _text_table(file, source.header)
    for name, value in source.where.items():
        table = table[text_column(table, name, file) == value]
    key = table.columns[0] if source.key is None else source.key
    names = text_column(table, key, file).fillna("").to_numpy(dtype=object)
    table = table.set_axis(names, axis=0)
    check_unique(table.index, file, key)
    return table


def _text_table(file: Path, header: bool) -> pd.DataFrame:
    """Read every column as text; where there is no header, columns are named 0, 1, ..."""
    with reading(file, "the label file", "a table as csv or tsv, gzip allowed"):
        table = pd.read_csv(
            file, sep=separator(file), header=0 if header else None, dtype=str,
            keep_default_na=False, na_values=MISSING,
        )  # fmt: skip
    if not isinstance(table.index, pd.RangeIndex):
        # a header one name short, as R writes it: the first column has no name
        table = table.reset_index(names="")
    return table.set_axis([str(name) for name in table.columns], axis=1)


def match_labels(
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
        Says what happens to cells and rows without a counterpart.
    file
        Named in errors.

    Returns
    -------
    tuple of pandas.DataFrame and dict
        The rows, with missing values for cells that have none; and how many cells and rows have no
        counterpart.

    Raises
    ------
    BlindfoldError
        Where no name agrees, or where some do not and the card does not allow it.
    """
    no_row, no_cell = cells[~cells.isin(table.index)], table.index.difference(cells)
    if len(no_row) == len(cells):
        raise BlindfoldError(
            "no cell is named in the label file", file=file,
            found=f"cells such as {examples(cells, 1)}, rows such as {examples(table.index, 1)}",
            expected="the same names on both sides", remedy="look at label.file.key and where",
        )  # fmt: skip
    if source.unmatched == "refuse" and (len(no_row) or len(no_cell)):
        found = [
            f"{len(names)} {what}, such as {examples(names)}"
            for names, what in ((no_row, "cells without a row"), (no_cell, "rows without a cell"))
            if len(names)
        ]
        raise BlindfoldError(
            "cells and labels do not match", file=file, field="label.file",
            found="; ".join(found), expected="one row for every cell, and no more",
            remedy="correct the file, or let the card say unmatched: report",
        )  # fmt: skip
    counts = {"cells_without_row": len(no_row), "rows_without_cell": len(no_cell)}
    return table.reindex(cells), counts
