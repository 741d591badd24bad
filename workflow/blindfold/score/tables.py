"""The tables that `score` writes."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from blindfold.core import io
from blindfold.core.layout import Layout
from blindfold.core.tables import EPOCHS, MARKERS, SCORES, empty_table
from blindfold.score.evidence import Evidence, Reference
from blindfold.score.metric import Metric

if TYPE_CHECKING:
    import pandas as pd


@dataclass
class Scored:
    """What is known of one method's runs on one dataset.

    Parameters
    ----------
    metrics
        What was asked for.
    rows
        One per run and metric.
    epochs
        One per run, epoch and metric, of partitions kept in training.
    markers
        One table per run, as `marker_table` returns it.
    """

    metrics: list[Metric]
    rows: list[dict[str, Any]] = field(default_factory=list)
    epochs: list[dict[str, Any]] = field(default_factory=list)
    markers: list[pd.DataFrame] = field(default_factory=list)


def marker_table(
    key: dict[str, Any], reference: Reference, evidence: Evidence, names: list[str]
) -> pd.DataFrame:
    """Return the markers of one partition.

    Parameters
    ----------
    key
        Dataset, method, variant, k and seed.
    reference, evidence
        The dataset, and what the run left.
    names
        Names of its groups, by code.

    Returns
    -------
    pandas.DataFrame
        ``group`` is the group's name; ``matched_class`` the class matched to it, empty
        where there is none.
    """
    classes = reference.truth.classes
    matched = {cluster: classes[code] for cluster, code in evidence.matching.items()}
    groups = evidence.marker_table["group"]
    table = evidence.marker_table.assign(
        group=[names[group] for group in groups],
        matched_class=[matched.get(group, "") for group in groups],
        **key,
    )
    return table[list(MARKERS)].astype(MARKERS)


def write_tables(results: Layout, dataset: str, method: str, scored: Scored) -> None:
    """Write the metric values, with the facts of each metric, and the markers.

    Parameters
    ----------
    results, dataset, method
        Where they go.
    scored
        What they hold.
    """
    import pandas as pd

    scores = pd.DataFrame(scored.rows, columns=list(SCORES)).astype(SCORES)
    scores.attrs["metrics"] = {metric.name: metric.facts for metric in scored.metrics}
    io.write_parquet(results.scores(dataset, method), scores)
    epochs = pd.DataFrame(scored.epochs, columns=list(EPOCHS)).astype(EPOCHS)
    io.write_parquet(results.epochs(dataset, method), epochs)
    joined = pd.concat([empty_table(MARKERS), *scored.markers], ignore_index=True)
    io.write_parquet(results.markers(dataset, method), joined)
