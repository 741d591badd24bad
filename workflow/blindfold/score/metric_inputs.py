"""What metrics are computed from. The names here are the argument names of metric functions."""

from __future__ import annotations

from dataclasses import dataclass, field
from functools import cached_property
from typing import TYPE_CHECKING, Any

import numpy as np

from blindfold.core.matching import match_clusters
from blindfold.core.truth import Truth
from blindfold.score.held_out import HeldOut
from blindfold.score.markers import find_markers, gene_lists
from blindfold.score.metric import Metric

if TYPE_CHECKING:
    import anndata
    import pandas as pd


class Reference:
    """What all runs on one dataset are compared with.

    Parameters
    ----------
    truth
        The hidden classes.
    expression
        N cells x genes, log-normalised.
    held_out
        The entries that a masked dataset did not show; None where it is not masked.
    """

    def __init__(
        self, truth: Truth, expression: anndata.AnnData, held_out: HeldOut | None = None
    ) -> None:
        self.held_out = held_out
        self.truth = truth
        self.mask = truth.labelled if truth.known else np.ones(len(truth.cells), dtype=bool)
        self.expression = expression[self.mask].copy()

    @cached_property
    def markers(self) -> pd.DataFrame:
        """Differential expression of the true classes."""
        return find_markers(self.expression, self.truth.codes)


@dataclass
class MetricInputs:
    """One partition beside its reference. Labelled cells only, except in ``partition``.

    Parameters
    ----------
    reference
        The hidden side of the dataset.
    partition
        N codes from 0, every cell.
    record
        The run's record.
    initial_partition
        N codes from 0, the partition that training began with; None where none was kept.
    imputed
        log(1 + imputed count) of each held-out entry; none where the dataset is not masked.
    """

    reference: Reference
    partition: np.ndarray
    record: dict[str, Any]
    initial_partition: np.ndarray | None = None
    imputed: np.ndarray = field(default_factory=lambda: np.empty(0))

    @property
    def held_out(self) -> np.ndarray:
        """log(1 + count) of each held-out entry."""
        held = self.reference.held_out
        return np.empty(0) if held is None else held.values

    @property
    def truth(self) -> np.ndarray:
        """Class code of each labelled cell."""
        return self.reference.truth.codes

    @cached_property
    def clusters(self) -> np.ndarray:
        """Cluster code of each labelled cell; of every cell where nothing is labelled."""
        return self.partition[self.reference.mask]

    @property
    def initial_clusters(self) -> np.ndarray | None:
        """As ``clusters``, of the partition that training began with."""
        start = self.initial_partition
        return None if start is None else start[self.reference.mask]

    @cached_property
    def matching(self) -> dict[int, int]:
        """Class of each matched cluster; empty where nothing is labelled."""
        truth = self.reference.truth
        return match_clusters(truth.codes, self.clusters, truth.cells[truth.labelled])

    @cached_property
    def markers(self) -> pd.DataFrame:
        """Differential expression of the clusters, see `find_markers`."""
        return find_markers(self.reference.expression, self.clusters)

    @property
    def cluster_markers(self) -> dict[int, list[str]]:
        """Marker genes of each cluster."""
        return gene_lists(self.markers, np.unique(self.clusters))

    @property
    def truth_markers(self) -> dict[int, list[str]]:
        """Marker genes of each class."""
        return gene_lists(self.reference.markers, np.unique(self.truth))


def applicable_metrics(metrics: list[Metric], labelled: bool, masked: bool) -> list[Metric]:
    """Return the metrics that a dataset allows.

    Label-free ones where nothing is labelled; those of imputation where entries were held out.
    """
    return [
        metric
        for metric in metrics
        if (labelled or metric.label_free) and (masked or metric.task != "imputation")
    ]


def evaluate(metric: Metric, inputs: MetricInputs) -> float:
    """Compute a metric: give its function what its arguments name."""
    return float(metric.function(**{name: getattr(inputs, name) for name in metric.needs}))
