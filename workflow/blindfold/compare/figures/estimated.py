"""Estimated against true numbers of clusters."""

from __future__ import annotations

from collections.abc import Iterator

import pandas as pd
from matplotlib.axes import Axes
from matplotlib.ticker import MaxNLocator

from blindfold.compare import columns
from blindfold.compare.benchmark import with_names
from blindfold.compare.drawing import Drawing
from blindfold.compare.figure_data import FigureData
from blindfold.compare.method_order import method_order
from blindfold.compare.palette import FAINT, INK
from blindfold.compare.panels import dataset_grid, give_rows, name_methods
from blindfold.compare.tables import clusters

TITLE, ORDER = "Estimated numbers of clusters", 30
COLUMNS = {**columns.NAME, **clusters.COLUMNS}
_CAPTION = (
    "Numbers of clusters that methods found where none was given: median over the seeds that ended "
    "ok (dot) and their range (line). The vertical line is the number of hidden classes, which no "
    "method saw. The rule of each method stands in the table of numbers of clusters."
)


def draw(data: FigureData) -> Iterator[Drawing]:
    """Yield one panel per dataset; nothing where every number was given."""
    table = with_names(clusters.build(data.benchmark))
    table = table[(table["k"] == "estimate") & (table["n"] > 0)]
    datasets = [name for name in data.benchmark.datasets if name in set(table["dataset"])]
    if not datasets:
        return
    methods = [name for name in method_order(data).methods if name in set(table["name"])]
    figure, axes = dataset_grid(datasets, methods, above_mm=14)
    for ax, dataset in zip(axes.flat, datasets, strict=False):
        _panel(ax, table[table["dataset"] == dataset], methods, data.colours)
    for ax in axes[:, 0]:
        name_methods(ax, methods, data)
    yield Drawing("estimated", figure, table, _CAPTION)


def _panel(ax: Axes, rows: pd.DataFrame, methods: list[str], colours: dict[str, str]) -> None:
    """Draw one dataset."""
    classes = rows["classes"].iloc[0]
    if not pd.isna(classes):
        ax.axvline(classes, color=INK, lw=0.6)
    for row in rows.itertuples():
        y, colour = methods.index(row.name), colours[row.method]
        ax.plot([row.found_min, row.found_max], [y, y], color=colour, lw=1.2, alpha=0.6)
        ax.plot([row.found], [y], "o", ms=4, mfc=colour, mec="white", mew=0.4)
    ax.set_xlim(0, 1.08 * max(rows["found_max"].max(), 0 if pd.isna(classes) else classes))
    ax.xaxis.set_major_locator(MaxNLocator(integer=True))
    give_rows(ax, methods)
    ax.set_xlabel("clusters found")
    ax.grid(axis="y", color=FAINT, lw=0.5)
