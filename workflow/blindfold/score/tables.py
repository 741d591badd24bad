"""The tables that `score` writes."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from blindfold.core import io
from blindfold.core.layout import Layout
from blindfold.core.tables import MARKERS, SCORES, empty_table
from blindfold.score.metric_inputs import MetricInputs

if TYPE_CHECKING:
    import pandas as pd


def marker_table(key: dict[str, Any], inputs: MetricInputs, names: list[str]) -> pd.DataFrame:
    """Return the markers of one partition.

    Parameters
    ----------
    key
        Dataset, method, variant, k and seed.
    inputs
        The partition beside its reference.
    names
        Names of its groups, by code.

    Returns
    -------
    pandas.DataFrame
        ``group`` is the group's name; ``matched_class`` the class matched to it, empty
        where there is none.
    """
    classes = inputs.reference.truth.classes
    matched = {cluster: classes[code] for cluster, code in inputs.matching.items()}
    groups = inputs.markers["group"]
    table = inputs.markers.assign(
        group=[names[group] for group in groups],
        matched_class=[matched.get(group, "") for group in groups],
        **key,
    )
    return table[list(MARKERS)].astype(MARKERS)


def write_tables(
    results: Layout,
    dataset: str,
    method: str,
    rows: list[dict[str, Any]],
    markers: list[pd.DataFrame],
) -> None:
    """Write the metric values and the markers of one method on one dataset.

    Parameters
    ----------
    results, dataset, method
        Where they go.
    rows
        One per run and metric.
    markers
        One table per run, as `marker_table` returns it.
    """
    import pandas as pd

    scores = pd.DataFrame(rows, columns=list(SCORES)).astype(SCORES)
    io.write_parquet(results.scores(dataset, method), scores)
    joined = pd.concat([empty_table(MARKERS), *markers], ignore_index=True)
    io.write_parquet(results.markers(dataset, method), joined)
