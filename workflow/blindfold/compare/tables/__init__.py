"""Tables: each is one module here with what it states and one function ``build(benchmark)``.

A module states ``TITLE``; ``ORDER`` on the page; ``COLUMNS``, in their order; and, where there is
something to say, ``NOTE``, ``FILTERS`` (columns that the page can choose rows by) and ``WITH`` (a
column without which, or at 0, a row is left out of the page). They are found by looking; what
they state travels with them in ``tables.json``.
"""

from __future__ import annotations

from types import ModuleType
from typing import TYPE_CHECKING, Any

from blindfold.compare.columns import AUDIT, check_columns
from blindfold.compare.modules import find_modules
from blindfold.core import io

if TYPE_CHECKING:
    import pandas as pd

    from blindfold.compare.benchmark import Benchmark


def find_tables() -> dict[str, ModuleType]:
    """Return every table by name, in the order of the page.

    Raises
    ------
    BlindfoldError
        Where a module does not state what it must.
    """
    return find_modules(__name__, __path__, "table", ("TITLE", "ORDER", "COLUMNS", "build"))


def write_tables(benchmark: Benchmark) -> None:
    """Write every table as CSV, and what is to be known of them.

    Raises
    ------
    BlindfoldError
        Where a table has other columns than it states.
    """
    stated = []
    for name, module in find_tables().items():
        table = module.build(benchmark)
        check_columns(f"table {name!r}", table, module.COLUMNS)
        io.write_csv(benchmark.results.table(f"{name}.csv"), with_audits(table, benchmark.audits))
        stated.append(facts(name, module, bool(benchmark.audits)))
    io.write_json(benchmark.results.table("tables.json"), stated)


def facts(name: str, module: ModuleType, audits: bool = False) -> dict[str, Any]:
    """Return what a table states, as the page reads it."""
    columns = {key: column._asdict() for key, column in module.COLUMNS.items()}
    if audits and "dataset" in columns:
        columns |= {key: column._asdict() for key, column in AUDIT.items()}
    return {
        "name": name, "title": module.TITLE, "order": module.ORDER,
        "note": getattr(module, "NOTE", ""), "filters": getattr(module, "FILTERS", []),
        "with": getattr(module, "WITH", None), "columns": columns,
    }  # fmt: skip


def with_audits(table: pd.DataFrame, audits: dict[str, str]) -> pd.DataFrame:
    """Return a table that says beside each dataset what no blind preparation may have done to it.

    Parameters
    ----------
    table
        Marked where it has a column ``dataset``.
    audits
        What was done, by dataset; where there is nothing to say, there is no column.
    """
    if not audits or "dataset" not in table:
        return table
    marked = table.copy()
    marked.insert(table.columns.get_loc("dataset") + 1, "audit", table["dataset"].map(audits))
    return marked
