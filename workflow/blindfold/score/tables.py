"""The tables that `score` writes: their columns and types."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from blindfold.score.evidence import Evidence
from blindfold.score.markers import COLUMNS as MARKER_COLUMNS

if TYPE_CHECKING:
    import pandas as pd

_KEY = {"dataset": "str", "method": "str", "variant": "str", "k": "str", "seed": "int64"}
_SCORES = {**_KEY, "task": "str", "metric": "str", "value": "float64", "status": "str"}
_MARKERS = {**_KEY, **MARKER_COLUMNS, "group": "str", "matched_class": "str"}


def score_table(rows: list[dict[str, Any]]) -> pd.DataFrame:
    """Return the long table of metric values, one row per run and metric."""
    import pandas as pd

    return pd.DataFrame(rows, columns=list(_SCORES)).astype(_SCORES)


def empty_markers() -> pd.DataFrame:
    """Return the table of markers without a row."""
    import pandas as pd

    return pd.DataFrame({name: pd.Series(dtype=kind) for name, kind in _MARKERS.items()})


def marker_table(key: dict[str, Any], evidence: Evidence, names: list[str]) -> pd.DataFrame:
    """Return the markers of one partition.

    Parameters
    ----------
    key
        Dataset, method, variant, k and seed.
    evidence
        The partition beside its reference.
    names
        Names of its groups, by code.

    Returns
    -------
    pandas.DataFrame
        ``group`` is the group's name; ``matched_class`` the class matched to it, empty
        where there is none.
    """
    table = evidence.markers.copy()
    classes = evidence.reference.truth.classes
    matched = {cluster: classes[label] for cluster, label in evidence.matching.items()}
    table["matched_class"] = table["group"].map(matched).fillna("").astype(str)
    table["group"] = [names[group] for group in table["group"]]
    return table.assign(**key)[list(_MARKERS)].astype(_MARKERS)
