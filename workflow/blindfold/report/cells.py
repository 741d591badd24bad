"""Rows of the CSV tables, and cells of the page: short numbers to read, exact ones behind."""

from __future__ import annotations

import csv
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


def number(exact: str, digits: int = 3) -> Cell:
    """Return a number, rounded to read; exact on hover; a dash where there is none."""
    if not exact:
        return Cell("–", "", "number")
    shown = f"{float(exact):,.{digits if '.' in exact else 0}f}"
    return Cell(shown if shown.strip("-0.,") else shown.lstrip("-"), exact, "number")


def rank(exact: str) -> Cell:
    """Return a rank: whole, or with its fraction where methods are tied."""
    return Cell(f"{float(exact):g}" if exact else "–", exact, "number")


def text(value: str, kind: str = "text") -> Cell:
    """Return words: text, a name (never broken over lines) or a status (coloured)."""
    return Cell(value, value, kind)


def flag(value: str, yes: str = "yes", no: str = "no") -> Cell:
    """Return a yes or no in words; empty where the question does not apply."""
    return Cell({"True": yes, "False": no}.get(value, ""), value, "flag")


def interval_cell(row: Row) -> Cell:
    """Return the ends of a row's interval; a dash where there is none."""
    if not row["ci_low"]:
        return number("")
    low, high = number(row["ci_low"]), number(row["ci_high"])
    return Cell(f"{low.text} to {high.text}", f"{low.exact} to {high.exact}", "number")


def dataset_cell(row: Row) -> Cell:
    """Return the dataset, with what its preparation did that no blind one may do."""
    audit = row.get("audit")
    return text(f"{row['dataset']} (audit: {audit})" if audit else row["dataset"], "name")


def method_cell(row: Row) -> Cell:
    """Return the method's display name."""
    return text(method_name(row), "name")
