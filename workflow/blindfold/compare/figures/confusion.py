"""Which classes each method keeps together."""

from __future__ import annotations

import math
from collections.abc import Iterator

import matplotlib as mpl
import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.patches import Rectangle

from blindfold.compare.drawing import Drawing, new_figure
from blindfold.compare.palette import INK, PAGE_MM, VALUES
from blindfold.compare.panels import blank, title
from blindfold.compare.shown import Shown, seeds
from blindfold.compare.view import Partition, View

_CAPTION = (
    "Where the cells of each class of {dataset} go, in percent of the class (rows add up to 100; "
    "values under 1 are left out). Columns are clusters in the order of the classes they are "
    "matched to (framed: counted as right); clusters without a class follow. Each method is shown "
    "by its seed of median ARI (k: {k}; {seeds}); controls and unlabelled cells are left out."
)


def draw(view: View) -> Iterator[Drawing]:
    """Yield one figure per labelled dataset."""
    for dataset in view.datasets:
        truth, runs = view.truth(dataset), view.shown(dataset)
        if truth is None or not runs:
            continue
        figure, data = _plot(view, truth, runs)
        caption = _CAPTION.format(dataset=dataset, k=view.k(dataset), seeds=seeds(runs))
        yield Drawing(f"confusion_{dataset}", figure, data, caption)


def _plot(view: View, truth: Partition, runs: list[Shown]) -> tuple[Figure, pd.DataFrame]:
    """Draw one matrix per method."""
    classes = list(truth.colours)
    columns = min(3 if len(classes) <= 12 else 2, len(runs))
    rows = math.ceil(len(runs) / columns)
    names_mm = 1.1 * max(map(len, classes)) + 3
    side = min((PAGE_MM - names_mm) / max(columns, 2), max(42, 6.5 * len(classes)))
    width = min(PAGE_MM, names_mm + columns * side + 4)
    figure = new_figure(width, rows * (side * 0.9 + 8))
    axes = list(figure.subplots(rows, columns, squeeze=False).flat)
    tables = [pd.DataFrame(columns=["method", "seed", "class", "cluster", "share"])]
    for index, run in enumerate(runs):
        ax = axes[index]
        ax.set_title(title(run), loc="left")
        if run.seed is None:
            blank(ax, run.why)
            continue
        clusters = view.partition(run)
        table = confusion(truth, clusters)
        paint(ax, table, classes, names=index % columns == 0)
        frame(ax, table, dict(zip(clusters.groups, clusters.matched, strict=True)))
        tables.append(_long(table, run.label, run.seed))
    for ax in axes[len(runs) :]:
        ax.set_axis_off()
    filled = [table for table in tables if len(table)] or tables
    return figure, pd.concat(filled, ignore_index=True)


def confusion(truth: Partition, clusters: Partition) -> pd.DataFrame:
    """Return the share of each class in each cluster, clusters in the order of the classes.

    Returns
    -------
    pandas.DataFrame
        classes x clusters; rows add up to 1.
    """
    known = truth.groups != ""
    table = pd.crosstab(truth.groups[known], clusters.groups[known], normalize="index")
    order = {name: i for i, name in enumerate(truth.colours)}
    matched = dict(zip(clusters.groups, clusters.matched, strict=True))
    wanted = sorted(table.columns, key=lambda c: (order.get(matched[c], len(order)), c))
    return table.reindex(index=list(truth.colours))[wanted]


def paint(ax: Axes, table: pd.DataFrame, classes: list[str], names: bool) -> None:
    """Draw one matrix with its values."""
    values = table.to_numpy()
    ax.imshow(values, cmap=VALUES, vmin=0, vmax=1, aspect="auto")
    ax.spines[:].set_visible(False)
    ax.tick_params(length=0)
    ax.set_xticks(range(table.shape[1]), table.columns)
    ax.set_yticks(range(len(classes)), classes if names else [])
    ax.set_xlabel("cluster")
    if max(table.shape) > 14:
        return
    cmap = mpl.colormaps[VALUES]
    for (row, column), value in np.ndenumerate(values):
        if value >= 0.01:
            ax.text(
                column, row, f"{100 * value:.0f}", ha="center", va="center", fontsize=5,
                color="white" if np.mean(cmap(value)[:3]) < 0.5 else INK,
            )  # fmt: skip


def frame(ax: Axes, table: pd.DataFrame, matched: dict[str, str]) -> None:
    """Frame the class that each cluster is matched to."""
    for column, cluster in enumerate(table.columns):
        if matched[cluster]:
            row = table.index.get_loc(matched[cluster])
            box = Rectangle((column - 0.5, row - 0.5), 1, 1, fill=False, ec=INK, lw=0.7)
            box.set_clip_on(False)
            ax.add_patch(box)


def _long(table: pd.DataFrame, label: str, seed: int) -> pd.DataFrame:
    long = table.rename_axis(index="class", columns="cluster").stack().rename("share").reset_index()
    return long.assign(method=label, seed=seed)[["method", "seed", "class", "cluster", "share"]]
