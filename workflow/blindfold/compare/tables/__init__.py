"""Tables: each is one module here with what it states and one function ``build(benchmark)``.

A module states ``TITLE``; ``ORDER`` on the page; ``COLUMNS``, in their order; and, where there is
something to say, ``NOTE``, ``ON_PAGE`` (False: a download alone), ``FILTERS`` (columns that the
page can choose rows by) and ``WITH`` (a column without which, or at 0, a row is left out of the
page). They are found by looking; what they state travels with them in ``tables.json``.
"""

from __future__ import annotations

from types import ModuleType
from typing import TYPE_CHECKING, Any

from blindfold.compare.columns import BESIDE, check_columns
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
        said = {"audit": benchmark.audits, "fidelity": benchmark.fidelity}
        io.write_csv(benchmark.results.table(f"{name}.csv"), with_remarks(table, **said))
        stated.append(facts(name, module, **said))
    io.write_json(benchmark.results.table("tables.json"), stated)


def facts(name: str, module: ModuleType, **said: dict[str, str]) -> dict[str, Any]:
    """Return what a table states, as the page reads it, remarks included."""
    columns: dict[str, Any] = {}
    for key, column in module.COLUMNS.items():
        columns[key] = column._asdict()
        remark, what = BESIDE.get(key, ("", column))
        if said.get(remark):
            columns[remark] = what._asdict()
    return {
        "name": name, "title": module.TITLE, "order": module.ORDER,
        "note": getattr(module, "NOTE", ""), "on_page": getattr(module, "ON_PAGE", True),
        "filters": getattr(module, "FILTERS", []),
        "with": getattr(module, "WITH", None), "columns": columns,
    }  # fmt: skip


def with_remarks(
    table: pd.DataFrame, audit: dict[str, str], fidelity: dict[str, str]
) -> pd.DataFrame:
    """Return a table that says of datasets and methods what is to be known of their numbers.

    Parameters
    ----------
    table
        Marked where it has a column ``dataset``, or ``method`` and ``variant``.
    audit
        What no blind preparation may have done, by dataset; where there is nothing to say, there
        is no column.
    fidelity
        A word for each method.
    """
    marked = table.copy()
    if audit and "dataset" in table:
        marked.insert(marked.columns.get_loc("dataset") + 1, "audit", table["dataset"].map(audit))
    if fidelity and "variant" in table:
        words = table["method"].map(fidelity)
        marked.insert(marked.columns.get_loc("variant") + 1, "fidelity", words)
    return marked
