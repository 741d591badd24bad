"""Columns of the tables that one step writes and another reads."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import pandas as pd

RUN = {"dataset": "str", "method": "str", "variant": "str", "k": "str", "seed": "int64"}
"""What names a run in every table."""

SCORES = {**RUN, "task": "str", "metric": "str", "value": "float64", "status": "str"}
"""The long table of metric values; its ``attrs["metrics"]`` hold the facts of each metric."""

EPOCHS = {**RUN, "epoch": "int64", "metric": "str", "value": "float64"}
"""Metric values of the partitions kept in training; epoch 0 is what training began with."""

GENE_TESTS = {
    "rank": "int64",
    "gene": "str",
    "score": "float64",
    "log_fold_change": "float64",
    "p_value": "float64",
    "p_adjusted": "float64",
    "fraction_in": "float64",
    "fraction_out": "float64",
}
"""What is known of a gene that marks a group."""

MARKERS = {**RUN, "group": "str", **GENE_TESTS, "matched_class": "str"}
"""The marker genes of every cluster of every run."""


def empty_table(columns: dict[str, str]) -> pd.DataFrame:
    """Return a table without a row whose columns have their types."""
    import pandas as pd

    return pd.DataFrame(columns=list(columns)).astype(columns)
