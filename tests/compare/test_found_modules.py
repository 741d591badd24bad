"""Tables and figures are found by looking, and held to what they state."""

from __future__ import annotations

import pandas as pd
import pytest

from blindfold.compare.columns import Column, check_columns
from blindfold.compare.figures import find_figures
from blindfold.compare.modules import find_modules
from blindfold.compare.tables import find_tables
from blindfold.core.errors import BlindfoldError


def test_the_order_is_the_one_stated():
    for found in (find_tables(), find_figures()):
        orders = [module.ORDER for module in found.values()]
        assert orders == sorted(orders)
    assert next(iter(find_tables())) == "ranking"


@pytest.mark.parametrize("lacking", ["TITLE", "ORDER", "COLUMNS", "build"])
def test_a_module_that_does_not_state_enough_is_named(tmp_path, monkeypatch, lacking):
    lines = {"TITLE": "TITLE = 'x'", "ORDER": "ORDER = 1", "COLUMNS": "COLUMNS = {}",
             "build": "build = None"}  # fmt: skip
    package = tmp_path / f"found_{lacking.lower()}"
    package.mkdir()
    (package / "__init__.py").write_text("")
    text = "\n".join(line for name, line in lines.items() if name != lacking)
    (package / "mine.py").write_text(text)
    monkeypatch.syspath_prepend(tmp_path)
    with pytest.raises(BlindfoldError, match=f"table 'mine' does not state {lacking}"):
        find_modules(package.name, [str(package)], "table", tuple(lines))


STATED = {"cell": Column("c"), "<method> seed <n>": Column("s"), "truth": Column("t")}


def test_columns_are_those_stated_in_their_order():
    check_columns("table", pd.DataFrame(columns=["cell", "truth"]), STATED)
    many = ["cell", "truth", "sctag@released seed 0", "graphst seed 12"]
    check_columns("table", pd.DataFrame(columns=many), STATED)


@pytest.mark.parametrize("columns", [["cell"], ["truth", "cell"], ["cell", "truth", "seed 0"]])
def test_other_columns_are_refused(columns):
    with pytest.raises(BlindfoldError, match="table has other columns than it states"):
        check_columns("table", pd.DataFrame(columns=columns), STATED)
