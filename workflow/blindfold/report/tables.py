"""The tables of the page: whatever `compare` wrote, as it states them."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from blindfold.core import io
from blindfold.core.layout import Layout
from blindfold.report.cells import Cell, Row, Rows, cell, read_rows, values_of

BEFORE_FIGURES = 40
"""Tables of a lower order stand above the figures."""


@dataclass(frozen=True)
class Table:
    """A table of the page.

    Parameters
    ----------
    key
        Anchor, and the name of the CSV behind it.
    title, note
        Heading and what is to be known.
    first
        Whether it stands above the figures.
    headers
        Column headings, with what each column means.
    rows
        Cells, with the values that filters look at.
    filters
        Values of each filter, by its column.
    """

    key: str
    title: str
    note: str
    first: bool
    headers: list[tuple[str, str]]
    rows: list[tuple[dict[str, str], list[Cell]]]
    filters: dict[str, list[str]]


def read_tables(results: Layout) -> tuple[dict[str, Rows], list[Table]]:
    """Read all tables.

    Returns
    -------
    rows : dict
        The rows of each CSV, by name.
    tables : list of Table
        Those that belong on the page and have a row, in its order.

    Raises
    ------
    BlindfoldError
        Where a file is missing or damaged.
    """
    stated = io.read_json(results.table("tables.json"))
    rows = {facts["name"]: read_rows(results.table(f"{facts['name']}.csv")) for facts in stated}
    tables = [fill(facts, rows[facts["name"]]) for facts in stated if facts["on_page"]]
    return rows, [table for table in tables if table.rows]


def fill(facts: dict[str, Any], rows: Rows) -> Table:
    """Return the table of these rows."""
    columns = {name: how for name, how in facts["columns"].items() if how["heading"]}
    body = [
        ({name: row[name] for name in facts["filters"]}, _cells(columns, row))
        for row in rows
        if facts["with"] is None or row[facts["with"]] not in ("", "0")
    ]
    filters = {name: values_of(rows, name) for name in facts["filters"]}
    filters.get("status", []).sort()
    headers = [(_heading(how), how["meaning"]) for how in columns.values()]
    first = facts["order"] < BEFORE_FIGURES
    return Table(facts["name"], facts["title"], facts["note"], first, headers, body, filters)


def _heading(how: dict[str, Any]) -> str:
    return f"{how['heading']}, {how['unit']}" if how["unit"] else str(how["heading"])


def _cells(columns: dict[str, dict[str, Any]], row: Row) -> list[Cell]:
    return [cell(name, row, how["digits"], how["words"]) for name, how in columns.items()]
