"""Columns of tables and of the data of figures: what each means, and how the page shows it."""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import TYPE_CHECKING, NamedTuple

from blindfold.core.errors import BlindfoldError

if TYPE_CHECKING:
    import pandas as pd


class Column(NamedTuple):
    """A column of a table.

    Parameters
    ----------
    meaning
        What it says, for the dictionary of columns.
    heading
        Above it on the page; empty: it stands in the file alone.
    unit
        Of its numbers.
    digits
        Shown after the point; the file holds the whole number.
    words
        How yes and no are shown.
    """

    meaning: str
    heading: str = ""
    unit: str = ""
    digits: int = 3
    words: tuple[str, str] = ("yes", "no")


Columns = Mapping[str, Column]

# put beside what they say something of, in every table
BESIDE = {
    "dataset": (
        "audit",
        Column("what its preparation did that no blind one may do; only where any did"),
    ),
    "variant": (
        "fidelity",
        Column("how near the method is to what its authors published", "Fidelity"),
    ),
}
NAME = {"name": Column("name in figures: method, or method@variant")}
METHOD = {
    "method": Column("name of the method", "Method"),
    "variant": Column("its variant; the page writes method@variant"),
}
GROUP = {
    "dataset": Column("name of the dataset", "Dataset"),
    **METHOD,
    "k": Column("truth, estimate, or the number of clusters asked for", "K"),
}
RUN = {**GROUP, "seed": Column("repeat, from 0", "Seed")}
INTERVAL = {
    "ci_low": Column("lower end of the interval of the mean", "95 % interval"),
    "ci_high": Column("its upper end"),
}


def check_columns(what: str, table: pd.DataFrame, stated: Columns) -> None:
    """Compare the columns of a table with those that are stated, in their order.

    Parameters
    ----------
    what
        Whose columns they are.
    table
        What was made.
    stated
        By name. What stands in angle brackets in a name can be anything, and a name with such
        brackets stands for any number of columns.

    Raises
    ------
    BlindfoldError
        Where a column is missing, is not stated or stands elsewhere.
    """
    names, found = list(stated), [str(name) for name in table]
    fixed = [name for name in names if "<" not in name]
    free = [re.sub(r"<[^<>]*>", ".+", re.escape(name)) for name in names if "<" in name]
    left = [name for name in found if not any(re.fullmatch(form, name) for form in free)]
    if left != fixed:
        raise BlindfoldError(
            f"{what} has other columns than it states", found=", ".join(found),
            expected=", ".join(names), remedy="state each in COLUMNS, in the order of the table",
        )  # fmt: skip
