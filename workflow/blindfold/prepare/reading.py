"""Read raw files and tables, and say in plain words what is wrong with one."""

from __future__ import annotations

import gzip
from collections.abc import Iterable, Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pandas as pd

from blindfold.core.errors import BlindfoldError, did_you_mean


@contextmanager
def reading(file: Path, what: str, expected: str) -> Iterator[None]:
    """Turn any error that a damaged or wrong file makes a library raise into a clear message.

    Parameters
    ----------
    file, what
        The file, and what it is to the user, such as ``the image``.
    expected
        What the file should be.
    """
    try:
        yield
    except BlindfoldError:
        raise
    except Exception as error:
        reason = str(error).partition("\n")[0]
        raise BlindfoldError(
            f"cannot read {what}: truncated, damaged or of another format", file=file,
            found=f"{type(error).__name__}: {reason}", expected=expected,
            remedy="get the file again, or look at the card's options",
        ) from error  # fmt: skip


def lookup(table: Mapping[str, Any] | pd.DataFrame, name: str, field: str, file: Path | str) -> Any:
    """Return a column or member.

    Raises
    ------
    BlindfoldError
        Where there is none of this name; the nearest is suggested.
    """
    if name not in table:
        remedy = did_you_mean(name, map(str, table))
        raise BlindfoldError(f"there is no {name!r}", file=file, field=field, remedy=remedy)
    return table[name]


def examples(names: Iterable[object], most: int = 3) -> str:
    """Return the first few names, quoted."""
    shown = list(names)
    return ", ".join(repr(str(name)) for name in shown[:most]) + (" ..." * (len(shown) > most))


def text(values: Iterable[Any]) -> list[str]:
    """Return values as strings; bytes are UTF-8, missing values are empty."""
    plain = pd.Series(list(values), dtype=object)
    return plain.where(plain.notna(), "").map(_decoded).astype(str).tolist()


def _decoded(value: Any) -> Any:
    return value.decode() if isinstance(value, bytes) else value


def as_text(values: pd.Series) -> pd.Series:
    """Return values as strings, whole numbers without a fraction; empty ones as None.

    ``1``, ``1.0`` and ``"1.0"`` are the same class ``"1"`` where every value is a whole number.
    """
    words = pd.Series(text(values), index=values.index, dtype=object).str.strip()
    if words[words != ""].str.fullmatch(r"[+-]?\d+(\.0*)?").all():
        words = words.str.replace(r"\.0*$", "", regex=True)
    return pd.Series(words.where(words != "", None).to_numpy(dtype=object), index=values.index)


def separator(file: Path) -> str:
    """Return what separates columns: what the file's name says, unless the first line disagrees."""
    with gzip.open(file, "rt") if file.suffix == ".gz" else file.open() as handle:
        first = handle.readline()
    usual, other = (",", "\t") if ".csv" in file.suffixes else ("\t", ",")
    return other if other in first and usual not in first else usual


def check_unique(names: pd.Index, file: Path, field: str | None = None) -> None:
    """Check that a table has one row for each cell.

    Raises
    ------
    BlindfoldError
        Where a cell has several.
    """
    repeated = names[names.duplicated()].unique()
    if len(repeated):
        raise BlindfoldError(
            f"{len(repeated)} cells have several rows in the table", file=file, field=field,
            found=examples(repeated), expected="one row for each cell",
        )  # fmt: skip


def match_rows(
    table: pd.DataFrame, names: Iterable[Any], cells: Iterable[str], file: Path,
    remedy: str | None = None,
) -> pd.DataFrame:  # fmt: skip
    """Return a table's rows in the order of the cells, matched by name.

    Parameters
    ----------
    table
        One row for each cell, in any order; rows of other cells are left out.
    names
        Cell of each row.
    cells
        Names in the wanted order.
    file, remedy
        Named in errors.

    Raises
    ------
    BlindfoldError
        Where a cell has no row, or several.
    """
    index, wanted = pd.Index(text(names)), pd.Index(cells)
    check_unique(index, file)
    missing = wanted[~wanted.isin(index)]
    if len(missing):
        raise BlindfoldError(
            f"{len(missing)} of {len(wanted)} cells have no row in the table", file=file,
            found=f"{missing[0]!r} in the matrix, {next(iter(index), None)!r} in the table",
            expected="a row for each cell, under the same name", remedy=remedy,
        )  # fmt: skip
    return table.set_axis(index, axis=0).loc[wanted]
