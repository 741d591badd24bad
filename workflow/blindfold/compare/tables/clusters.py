"""Numbers of clusters: asked for, found, true, and the rule that decided."""

from __future__ import annotations

from typing import Any

import numpy as np
import pandas as pd

from blindfold.compare import columns
from blindfold.compare.benchmark import GROUP, Benchmark
from blindfold.compare.columns import Column

TITLE, ORDER, FILTERS, WITH = "Numbers of clusters", 50, ["dataset", "k"], "n"
NOTE = (
    "Over the runs that ended ok: the number of clusters asked for, none where the method had to "
    "estimate it by its rule, and found (median, least, most), beside the number of hidden "
    "classes. Error: mean of found minus classes; exact: share of runs without error."
)
COLUMNS = {
    **columns.GROUP,
    "k_rule": Column("where the number came from: given, or the method's rule", "Rule"),
    "n": Column("runs that ended ok", "Runs"),
    "asked": Column("number asked for; empty where there was none", "Asked"),
    "found": Column("median number found", "Found", digits=1),
    "found_min": Column("least number found", "Least"),
    "found_max": Column("largest number found", "Most"),
    "classes": Column("hidden classes among the labelled cells", "Classes"),
    "error": Column("mean of found less classes", "Error", digits=1),
    "exact": Column("share of runs that found the number of classes", "Exact", digits=2),
}
_WHOLE = ["asked", "found_min", "found_max", "classes"]


def build(benchmark: Benchmark) -> pd.DataFrame:
    """Return the numbers of clusters beside the number of classes.

    Parameters
    ----------
    benchmark
        Runs with what their records say.

    Returns
    -------
    pandas.DataFrame
        One row per dataset, method and k, over the ``n`` runs that ended ``ok``. ``k_rule`` is
        what the method noted of where its number came from; ``asked`` is empty where none was
        given; ``found`` is the median, ``error`` the mean of found minus classes, ``exact`` the
        share of runs that found the number of classes. Unlabelled data have no classes.
    """
    classes = {name: benchmark.dataset_facts(name).get("n_clusters") for name in benchmark.datasets}
    parts = benchmark.runs.groupby(GROUP, sort=True)
    rows = [_row(key, part, classes[key[0]]) for key, part in parts]
    return pd.DataFrame(rows, columns=list(COLUMNS)).astype(dict.fromkeys(_WHOLE, "Int64"))


def _row(key: tuple[str, ...], part: pd.DataFrame, classes: int | None) -> dict[str, Any]:
    """Summarise the runs of one method on one dataset with one k."""
    succeeded = part[part["status"] == "ok"]
    found = succeeded["n_clusters"].dropna().to_numpy(float)
    row = {
        **dict(zip(GROUP, key, strict=True)),
        "k_rule": "; ".join(sorted(set(succeeded["k_rule"].dropna()))) or None,
        "n": len(succeeded),
        "asked": int(key[-1]) if key[-1].isdigit() else {"truth": classes}.get(key[-1]),
        "classes": classes,
    }
    if not len(found):
        return row
    row |= {"found": np.median(found), "found_min": found.min(), "found_max": found.max()}
    if classes is not None:
        row |= {"error": (found - classes).mean(), "exact": (found == classes).mean()}
    return row
