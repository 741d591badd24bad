"""What figures are drawn from: tables, and the cells of each dataset."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property, lru_cache
from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd

from blindfold.compare.benchmark import Benchmark, read_benchmark, with_names
from blindfold.compare.palette import MARKS, UNLABELLED, class_colour, method_colours, method_style
from blindfold.compare.representative_run import RepresentativeRun, main_k, representative_runs
from blindfold.compare.tables import ranking
from blindfold.core.expression import read_expression
from blindfold.core.layout import Layout
from blindfold.core.matching import match_clusters, matched_classes
from blindfold.core.methods import split_variant
from blindfold.core.run_files import read_partition
from blindfold.core.truth import Truth, read_truth

if TYPE_CHECKING:
    import anndata


@dataclass(frozen=True)
class ColouredPartition:
    """The groups of one panel, in the colours of the classes they are matched to.

    Parameters
    ----------
    groups
        Group of each of N cells, as text; empty where a cell has none.
    matching
        Class of each matched group.
    colours
        Colour of each group; of classes, in their order.
    """

    groups: np.ndarray
    matching: dict[str, str]
    colours: dict[str, str]

    @property
    def matched(self) -> np.ndarray:
        """Class that each cell's group is matched to; empty where there is none."""
        return matched_classes(self.groups, self.matching, unmatched="")

    @property
    def cell_colours(self) -> list[str]:
        """Colour of each cell."""
        return [self.colours.get(group, UNLABELLED) for group in self.groups]

    def in_order_of(self, classes: list[str]) -> list[str]:
        """Return the groups in the order of the classes they are matched to, then the others."""
        order = {name: position for position, name in enumerate(classes)}
        unmatched = len(order)
        return sorted(
            np.unique(self.groups).tolist(),
            key=lambda group: (order.get(self.matching.get(group, ""), unmatched), group),
        )


@dataclass
class FigureData:
    """Everything a figure may ask for.

    Parameters
    ----------
    benchmark
        Runs and scores.
    ranking
        The ranking, with the methods' display names.
    """

    benchmark: Benchmark
    ranking: pd.DataFrame

    @property
    def datasets(self) -> list[str]:
        """Datasets whose cells are there, in the order of the configuration."""
        at = self.benchmark.results
        return [name for name in self.benchmark.datasets if at.input(name).is_file()]

    @cached_property
    def colours(self) -> dict[str, str]:
        """Colour of each method, whatever its variant."""
        methods = {split_variant(name)[0] for name in self.benchmark.plan.methods}
        return method_colours(methods, self.benchmark.controls)

    def label(self, name: str) -> str:
        """Return a method's display name with the mark of its fidelity."""
        return name + MARKS[self.benchmark.fidelity[split_variant(name)[0]]]

    def marks(self) -> str:
        """Return what the marks behind names mean."""
        words = set(self.benchmark.fidelity.values())
        return "   ".join(
            f"{mark or 'no mark'}: {word}" for word, mark in MARKS.items() if word in words
        )

    def style(self, name: str) -> dict[str, Any]:
        """Return marker and colours of a method by its display name."""
        return method_style(name, self.colours)

    def k(self, dataset: str) -> str:
        """Return the k that is shown."""
        return main_k(self.benchmark, dataset)

    def at_main_k(self, table: pd.DataFrame) -> pd.DataFrame:
        """Return the rows of planned datasets with the k that is shown."""
        shown = {dataset: self.k(dataset) for dataset in self.benchmark.datasets}
        return table[table["k"] == table["dataset"].map(shown)]

    def representative_runs(self, dataset: str) -> list[RepresentativeRun]:
        """Return the run that stands for each method that is no control, best rank first."""
        ranking = self.at_main_k(self.ranking)
        ranks = ranking[ranking["dataset"] == dataset].set_index("name")["rank"].fillna(np.inf)
        runs = [
            run
            for run in representative_runs(self.benchmark)
            if (run.dataset, run.k) == (dataset, self.k(dataset))
            and run.method not in self.benchmark.controls
        ]
        return sorted(runs, key=lambda run: (ranks[run.name], run.name))

    def expression(self, dataset: str) -> anndata.AnnData:
        """Return the log-normalised expression of a dataset."""
        return _expression(self.benchmark.results, dataset)

    def truth(self, dataset: str) -> ColouredPartition | None:
        """Return the hidden classes, or None where nothing is labelled."""
        truth = _truth(self.benchmark.results, dataset)
        if not truth.known:
            return None
        colours = {name: class_colour(index) for index, name in enumerate(truth.classes)}
        return ColouredPartition(truth.labels, {name: name for name in truth.classes}, colours)

    def partition(self, run: RepresentativeRun) -> ColouredPartition:
        """Return the clusters of a run, matched to the classes so that most cells agree."""
        at = self.benchmark.results
        truth = _truth(at, run.dataset)
        path = at.run(run.dataset, run.name, run.k, str(run.seed)) / "clusters.parquet"
        codes, names = read_partition(path, truth.cells)
        groups, known = np.array(names)[codes], truth.labelled
        matching = match_clusters(truth.labels[known], groups[known], truth.cells[known])
        spare = sorted(set(names) - set(matching))
        colours = {group: truth.classes.index(name) for group, name in matching.items()}
        colours |= {group: len(truth.classes) + index for index, group in enumerate(spare)}
        return ColouredPartition(
            groups, matching, {group: class_colour(index) for group, index in colours.items()}
        )


def read_figure_data(results: Layout) -> FigureData:
    """Read what figures are drawn from.

    Raises
    ------
    BlindfoldError
        Where the plan, a record or a score table is missing or damaged.
    """
    benchmark = read_benchmark(results)
    return FigureData(benchmark, with_names(ranking.build(benchmark)))


@lru_cache(maxsize=2)
def _expression(results: Layout, dataset: str) -> anndata.AnnData:
    return read_expression(results.input(dataset), _truth(results, dataset).cells)


@lru_cache(maxsize=2)
def _truth(results: Layout, dataset: str) -> Truth:
    return read_truth(results, dataset)
