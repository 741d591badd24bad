"""What figures are drawn from: tables, and the cells of each dataset."""

from __future__ import annotations

from dataclasses import dataclass
from functools import lru_cache
from typing import TYPE_CHECKING

import numpy as np
import pandas as pd

from blindfold.compare.gather import Material, gather, read_parquet
from blindfold.compare.palette import UNLABELLED, class_colour
from blindfold.compare.shown import Shown, main_k, shown_in
from blindfold.core import io
from blindfold.core.layout import Layout
from blindfold.core.matching import match_clusters, matched_classes

if TYPE_CHECKING:
    import anndata


@dataclass(frozen=True)
class Partition:
    """The groups of one panel, in the colours of the classes they are matched to.

    Parameters
    ----------
    groups
        Group of each cell, as text; empty where a cell has none.
    matched
        Class that each cell's group is matched to; empty where there is none.
    colours
        Colour of each group.
    """

    groups: np.ndarray
    matched: np.ndarray
    colours: dict[str, str]

    @property
    def cell_colours(self) -> list[str]:
        """Colour of each cell."""
        return [self.colours.get(group, UNLABELLED) for group in self.groups]


@dataclass
class View:
    """Everything a figure may ask for.

    Parameters
    ----------
    material
        Runs and scores.
    ranking
        The table ``ranking.csv``.
    """

    material: Material
    ranking: pd.DataFrame

    @property
    def datasets(self) -> list[str]:
        """Datasets whose cells are there, in the order of the configuration."""
        at = self.material.results
        return [name for name in self.material.plan.datasets if at.input(name).is_file()]

    def k(self, dataset: str) -> str:
        """Return the k that is shown."""
        return main_k(self.material, dataset)

    def shown(self, dataset: str, controls: bool = False) -> list[Shown]:
        """Return the run shown for each method, best first; controls only where asked for."""
        runs = shown_in(self.material, dataset, self.ranking)
        return [run for run in runs if controls or not run.control]

    def expression(self, dataset: str) -> anndata.AnnData:
        """Return the counts scaled to 10,000 per cell and log1p."""
        return _expression(self.material.results, dataset)

    def truth(self, dataset: str) -> Partition | None:
        """Return the hidden classes, or None where nothing is labelled."""
        names = _labels(self.material.results, dataset)
        classes = sorted(set(names) - {""})
        if not classes:
            return None
        colours = {name: class_colour(index) for index, name in enumerate(classes)}
        return Partition(names, names, colours)

    def partition(self, run: Shown) -> Partition:
        """Return the clusters of a run, matched to the classes so that most cells agree."""
        at = self.material.results
        path = at.run(run.dataset, run.label, run.k, str(run.seed)) / "clusters.parquet"
        table = read_parquet(path).set_index("cell")["cluster"]
        cells = self.expression(run.dataset).obs_names.to_numpy(dtype=str)
        groups = table.reindex(cells).astype(str).to_numpy(dtype=str)
        truth = self.truth(run.dataset)
        matching = {}
        if truth is not None:
            known = truth.groups != ""
            matching = match_clusters(truth.groups[known], groups[known], cells[known])
        classes = [] if truth is None else list(truth.colours)
        spare = [name for name in np.unique(groups).tolist() if name not in matching]
        colours = {group: class_colour(classes.index(name)) for group, name in matching.items()}
        colours |= {name: class_colour(len(classes) + i) for i, name in enumerate(spare)}
        return Partition(groups, matched_classes(groups, matching, unmatched=""), colours)


def open_view(results: Layout) -> View:
    """Read what figures are drawn from; the tables must have been written."""
    path = results.table("ranking.csv")
    return View(gather(results), pd.read_csv(path, keep_default_na=True, dtype={"k": str}))


@lru_cache(maxsize=2)
def _expression(results: Layout, dataset: str) -> anndata.AnnData:
    import scanpy

    data = io.read_h5ad(results.input(dataset))
    scanpy.pp.normalize_total(data, target_sum=1e4)
    scanpy.pp.log1p(data)
    return data


@lru_cache(maxsize=2)
def _labels(results: Layout, dataset: str) -> np.ndarray:
    """Return the class of every cell in the order of the input, empty where there is none."""
    table = read_parquet(results.truth(dataset)).set_index("cell")
    cells = _expression(results, dataset).obs_names
    if "label" not in table:
        return np.full(len(cells), "")
    column = table["label"].reindex(cells)
    return column.astype(object).where(column.notna(), "").astype(str).to_numpy(dtype=str)
