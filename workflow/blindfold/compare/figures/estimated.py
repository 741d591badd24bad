"""Estimated against true numbers of clusters."""

from __future__ import annotations

import math
from collections.abc import Iterator

import pandas as pd
from matplotlib.axes import Axes
from matplotlib.ticker import MaxNLocator

from blindfold.compare.clusters import cluster_table
from blindfold.compare.drawing import Drawing, new_figure
from blindfold.compare.gather import label
from blindfold.compare.palette import FAINT, INK, PAGE_MM, method_colour
from blindfold.compare.standing import standing
from blindfold.compare.view import View

_CAPTION = (
    "Numbers of clusters that methods found where none was given: median over the seeds that ended "
    "ok (dot) and their range (line). The vertical line is the number of hidden classes, which no "
    "method saw. The rule of each method stands in the table of numbers of clusters."
)
_COLUMNS = 3


def draw(view: View) -> Iterator[Drawing]:
    """Yield one panel per dataset; nothing where every number was given."""
    table = cluster_table(view.material)
    table = table[(table["k"] == "estimate") & (table["n"] > 0)]
    datasets = [name for name in view.material.plan.datasets if name in set(table["dataset"])]
    if not datasets:
        return
    table.insert(0, "name", list(map(label, table["method"], table["variant"])))
    methods = [name for name in standing(view).methods if name in set(table["name"])]
    columns = min(len(datasets), _COLUMNS)
    rows = math.ceil(len(datasets) / columns)
    figure = new_figure(PAGE_MM if columns > 1 else 110, rows * (4.4 * len(methods) + 14))
    axes = figure.subplots(rows, columns, squeeze=False, sharey=True)
    for ax, dataset in zip(axes.flat, datasets, strict=False):
        _panel(ax, table[table["dataset"] == dataset], methods)
        ax.set_title(dataset, loc="left", fontweight="bold")
    for ax in list(axes.flat)[len(datasets) :]:
        ax.set_axis_off()
    for ax in axes[:, 0]:
        ax.set_yticks(range(len(methods)), methods)
    yield Drawing("estimated", figure, table, _CAPTION)


def _panel(ax: Axes, rows: pd.DataFrame, methods: list[str]) -> None:
    """Draw one dataset."""
    classes = rows["classes"].iloc[0]
    if not pd.isna(classes):
        ax.axvline(classes, color=INK, lw=0.6)
    for row in rows.itertuples():
        y, colour = methods.index(row.name), method_colour(row.method)
        ax.plot([row.found_min, row.found_max], [y, y], color=colour, lw=1.2, alpha=0.6)
        ax.plot([row.found], [y], "o", ms=4, mfc=colour, mec="white", mew=0.4)
    ax.set_xlim(0, 1.08 * max(rows["found_max"].max(), 0 if pd.isna(classes) else classes))
    ax.xaxis.set_major_locator(MaxNLocator(integer=True))
    ax.set_ylim(len(methods) - 0.4, -0.6)
    ax.set_xlabel("clusters found")
    ax.grid(axis="y", color=FAINT, lw=0.5)
    ax.tick_params(axis="y", length=0)
