"""What a method is set beside: the row of another method for the same dataset and k."""

from __future__ import annotations

import pandas as pd

from blindfold.compare.benchmark import row_keys
from blindfold.core.methods import DEFAULT_VARIANT


def is_method(table: pd.DataFrame, method: str | pd.Series) -> pd.Series:
    """Tell which rows are of a method's default variant; one method for all rows, or one each."""
    return (table["method"] == method) & (table["variant"] == DEFAULT_VARIANT)


def reference_values(
    table: pd.DataFrame, chosen: pd.Series, key: list[str], column: str
) -> pd.Series:
    """Return for every row what a column says in the chosen row of the same key, or NaN.

    Parameters
    ----------
    table
        One row per method and more.
    chosen
        Which rows are looked up; one at most of each key.
    key
        At least two columns.
    column
        Numbers.
    """
    known = table[chosen].set_index(key)[column]
    return pd.Series(known.reindex(row_keys(table, key)).to_numpy(), index=table.index)
