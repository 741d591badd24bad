"""Rows of the CSV tables, and cells of the page: short numbers to read, exact ones behind."""

from __future__ import annotations

import csv
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from blindfold.core.errors import BlindfoldError
from blindfold.core.methods import display_name

Row = dict[str, str]
Rows = list[Row]


@dataclass(frozen=True)
class Cell:
    """One cell.

    Parameters
    ----------
    text
        What is shown.
    exact
        The value as it stands in the CSV: shown on hover, used for sorting.
    kind
        ``number``, ``text``, ``name``, ``status`` or ``flag``: how it is set.
    """

    text: str
    exact: str
    kind: str


def read_rows(path: Path) -> Rows:
    """Read a CSV without changing a character.

    Raises
    ------
    BlindfoldError
        Where the file is missing.
    """
    if not path.is_file():
        raise BlindfoldError("file not found", file=path, remedy="run compare")
    with path.open(newline="") as handle:
        return list(csv.DictReader(handle))


def values_of(rows: Rows, field: str) -> list[str]:
    """Return the values of a field in the order of their first appearance."""
    return list(dict.fromkeys(row[field] for row in rows))


def method_name(row: Row) -> str:
    """Return ``sctag`` or ``sctag@released``."""
    return display_name(row["method"], row["variant"])


def cell(column: str, row: Row, digits: int, words: Sequence[str]) -> Cell:
    """Return how the page shows a value.

    A method is shown with its variant, a dataset with what its preparation did that no blind one
    may do, the lower end of an interval with the upper one; numbers rounded, exact on hover.

    Parameters
    ----------
    column
        Its name.
    row
        The row that it stands in.
    digits
        After the point of a number.
    words
        What stands for yes and for no.
    """
    exact = row[column]
    if column == "method" and "variant" in row:
        return text(method_name(row), "name")
    if column == "dataset" and row.get("audit"):
        return text(f"{exact} (audit: {row['audit']})", "name")
    if column in ("dataset", "method", "source", "metric"):
        return text(exact, "name")
    if column == "status":
        return text(exact, "status")
    if column.endswith("_low") and column.replace("_low", "_high") in row:
        high = row[column.replace("_low", "_high")]
        if not exact:
            return number("", digits)
        shown = f"{number(exact, digits).text} to {number(high, digits).text}"
        return Cell(shown, f"{exact} to {high}", "number")
    if exact in ("True", "False"):
        return Cell(words[exact == "False"], exact, "flag")
    return number(exact, digits) if not exact or _is_number(exact) else text(exact, "text")


def _is_number(exact: str) -> bool:
    try:
        float(exact)
    except ValueError:
        return False
    return True


def number(exact: str, digits: int = 3) -> Cell:
    """Return a number, rounded to read; exact on hover; a dash where there is none.

    Whole numbers stay whole, and so do ranks that nothing shares.
    """
    if not exact:
        return Cell("–", "", "number")
    whole = "." not in exact or (digits == 1 and exact.endswith(".0"))
    shown = f"{float(exact):,.{0 if whole else digits}f}"
    return Cell(shown if shown.strip("-0.,") else shown.lstrip("-"), exact, "number")


def text(value: str, kind: str = "text") -> Cell:
    """Return words, set as their kind asks."""
    return Cell(value, value, kind)
