"""The table of marker genes: those of the true classes and of each method's clusters."""

from __future__ import annotations

import pandas as pd

from blindfold.compare.gather import KEY, Material, read_parquet
from blindfold.compare.shown import shown_keys

TOP = 20


def deg_table(material: Material) -> pd.DataFrame:
    """Return the best `TOP` marker genes per group of the oracle and of each method's shown run.

    The full lists of every run lie in ``markers/<dataset>/<method>.parquet``. ``group`` is the
    class for the oracle and the cluster for a method; ``matched_class`` the class that the
    cluster is matched to.
    """
    keys = shown_keys(material)
    tables = []
    for dataset in material.plan.datasets:
        for method in ["oracle", *material.plan.methods]:
            path = material.results.markers(dataset, method)
            if not path.is_file():
                continue
            table = read_parquet(path)
            table = table[table["rank"] <= TOP]
            if method != "oracle":
                table = table.merge(keys, on=KEY, how="inner")
            tables.append(table)
    filled = [table for table in tables if len(table)]
    if not filled:
        return pd.DataFrame(columns=[*KEY, "group", "rank", "gene", "matched_class"])
    return pd.concat(filled, ignore_index=True)
