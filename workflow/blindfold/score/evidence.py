"""What a metric may ask for: the names here are the argument names of metric functions."""

from __future__ import annotations

import inspect
from collections.abc import Sequence
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from blindfold.core import io
from blindfold.core.matching import match_clusters
from blindfold.core.truth import Truth
from blindfold.score.markers import find_markers, gene_lists
from blindfold.score.neighbours import batches, majority_vote, neighbour_graph

if TYPE_CHECKING:
    import anndata
    import pandas as pd
    import scipy.sparse as sp

    from blindfold.score.held_out import HeldOut

LABEL_FREE = {
    "batch", "cluster_markers", "clusters", "coordinates", "costs", "counts", "embedding",
    "held_out", "imputed", "initial_clusters", "marker_table", "neighbours", "partition",
    "refined_clusters", "siblings", "snapshots",
}  # fmt: skip
"""Evidence that says nothing of the hidden classes; what is not named here needs labels."""

KEPT_BY_FEW = {"initial_clusters", "snapshots"}
"""What only some methods leave: of a run that failed nobody knows whether it would have."""


class Reference:
    """What all runs on one dataset are compared with.

    Parameters
    ----------
    truth
        The hidden classes.
    every_cell
        N cells x genes, log-normalised, with batch and coordinates where the dataset has them.
    held_out
        The entries that a masked dataset did not show; None where it is not masked.
    path
        The blinded input, from which counts are read where a metric asks for them.
    """

    def __init__(
        self,
        truth: Truth,
        every_cell: anndata.AnnData,
        held_out: HeldOut | None = None,
        path: Path | None = None,
    ) -> None:
        self.truth, self.every_cell = truth, every_cell
        self.held_out, self.path = held_out, path
        self.mask = truth.labelled if truth.known else np.ones(len(truth.cells), dtype=bool)
        self.expression = every_cell[self.mask].copy()

    def can_give(self, needs: set[str]) -> bool:
        """Tell whether the dataset has what a metric needs."""
        lacks: set[str] = set() if self.truth.known else needs - LABEL_FREE
        if self.held_out is None:
            lacks |= {"held_out", "imputed"}
        if "spatial" not in self.expression.obsm:
            lacks |= {"coordinates", "refined_clusters"}
        if "batch" not in self.expression.obs:
            lacks |= {"batch"}
        return not needs & lacks

    @cached_property
    def markers(self) -> pd.DataFrame:
        """Differential expression of the true classes."""
        return find_markers(self.expression, self.truth.codes)

    @cached_property
    def counts(self) -> sp.csr_matrix | None:
        """Counts of the labelled cells."""
        return None if self.path is None else io.read_h5ad(self.path)[self.mask].X

    @cached_property
    def neighbours(self) -> sp.csr_matrix:
        """Neighbour graph of the labelled cells."""
        return neighbour_graph(self.expression)


class Evidence:
    """What one run left, beside its dataset: every property is evidence for metrics.

    What a run did not leave is None; a metric that asks for it is left out. Cells are the
    labelled ones, or all where nothing is labelled.

    Parameters
    ----------
    reference
        The dataset.
    partition
        N cluster codes from 0.
    costs
        The run's record.
    folder
        Where the run left its files; None for the truth itself.
    kept
        N cluster codes of each epoch that was kept; 0 is what training began with.
    others
        N cluster codes of each other seed.
    imputed
        log(1 + imputed count) of each held-out entry.
    """

    def __init__(
        self,
        reference: Reference,
        partition: np.ndarray,
        costs: dict[str, Any],
        folder: Path | None = None,
        kept: dict[int, np.ndarray] | None = None,
        others: Sequence[np.ndarray] = (),
        imputed: np.ndarray | None = None,
    ) -> None:
        self._reference, self._mask = reference, reference.mask
        self._partition, self._costs, self._imputed = partition, costs, imputed
        self._folder, self._kept, self._others = folder, kept or {}, others
        held_out = reference.held_out
        self._held_out = None if held_out is None else held_out.values

    @property
    def truth(self) -> np.ndarray:
        """Class code of each labelled cell."""
        return self._reference.truth.codes

    @property
    def partition(self) -> np.ndarray:
        """Cluster code of every cell, unlabelled ones included."""
        return self._partition

    @cached_property
    def clusters(self) -> np.ndarray:
        """Cluster code of each cell."""
        return self._partition[self._mask]

    @cached_property
    def refined_clusters(self) -> np.ndarray:
        """Cluster code of each spot after a vote of its 18 nearest, two rings of a hexagon grid."""
        every = self._reference.every_cell
        return majority_vote(self._partition, every.obsm["spatial"], batches(every))[self._mask]

    @property
    def initial_clusters(self) -> np.ndarray | None:
        """Cluster code of each cell when training began."""
        return self.snapshots.get(0) if self.snapshots else None

    @property
    def snapshots(self) -> dict[int, np.ndarray] | None:
        """Cluster code of each cell at each epoch that was kept, by epoch."""
        return {epoch: codes[self._mask] for epoch, codes in self._kept.items()} or None

    @property
    def siblings(self) -> list[np.ndarray] | None:
        """Cluster code of each cell in each other seed of the same method and K that ended ok."""
        return [codes[self._mask] for codes in self._others] or None

    @cached_property
    def embedding(self) -> np.ndarray | None:
        """Embedding of each cell, cells x dimensions."""
        path = None if self._folder is None else self._folder / "embedding.npy"
        return np.load(path)[self._mask] if path is not None and path.is_file() else None

    @property
    def coordinates(self) -> np.ndarray:
        """Position of each spot, spots x 2."""
        return np.asarray(self._reference.expression.obsm["spatial"], dtype=float)

    @property
    def batch(self) -> np.ndarray:
        """Batch or section of each cell, as a code."""
        return batches(self._reference.expression)

    @property
    def counts(self) -> sp.csr_matrix:
        """Counts, cells x genes."""
        return self._reference.counts

    @property
    def neighbours(self) -> sp.csr_matrix:
        """Neighbour graph: 6 nearest spots of the section, or 15 nearest cells by expression."""
        return self._reference.neighbours

    @cached_property
    def matching(self) -> dict[int, int]:
        """Class of each cluster that is matched to one."""
        truth = self._reference.truth
        return match_clusters(truth.codes, self.clusters, truth.cells[truth.labelled])

    @cached_property
    def marker_table(self) -> pd.DataFrame:
        """Differential expression of the clusters, see `find_markers`."""
        return find_markers(self._reference.expression, self.clusters)

    @property
    def cluster_markers(self) -> dict[int, list[str]]:
        """Marker genes of each cluster, best first."""
        return gene_lists(self.marker_table, np.unique(self.clusters))

    @property
    def truth_markers(self) -> dict[int, list[str]]:
        """Marker genes of each class, best first."""
        return gene_lists(self._reference.markers, np.unique(self.truth))

    @property
    def held_out(self) -> np.ndarray | None:
        """log(1 + count) of each held-out entry."""
        return self._held_out

    @property
    def imputed(self) -> np.ndarray | None:
        """log(1 + imputed count) of each held-out entry."""
        return self._imputed

    @property
    def costs(self) -> dict[str, Any]:
        """Record of the run: ``wall_s``, ``cpu_s``, ``fit_s``, ``peak_rss_mb``, ``peak_gpu_mb``."""
        return self._costs


EVIDENCE = {
    name: str(inspect.getdoc(value))
    for name, value in vars(Evidence).items()
    if isinstance(value, property | cached_property)
}
"""What a metric may ask for, and what it is."""
