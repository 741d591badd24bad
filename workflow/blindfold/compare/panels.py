"""Grids of small maps: truth beside methods."""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Any

import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.lines import Line2D

from blindfold.compare.drawing import new_figure
from blindfold.compare.palette import FAILURE, PAGE_MM, UNLABELLED
from blindfold.compare.shown import Shown
from blindfold.compare.view import Partition, View

TITLE, _LONG_NAME = 6, 20  # points, characters

Paint = Callable[[Axes, Partition], None]


def draw_maps(
    view: View, dataset: str, paint: Paint, aspect: float, columns: int = 4
) -> tuple[Figure, pd.DataFrame]:
    """Draw the truth and the shown run of every method that is no control.

    Parameters
    ----------
    view
        Where partitions come from.
    dataset
        The dataset.
    paint
        Draws a partition's cells into axes.
    aspect
        Height over width of a panel.
    columns
        Panels in a row; one or two fill the width of the page.

    Returns
    -------
    figure : matplotlib.figure.Figure
        Panels in the order of the ranking; a method without a result has an empty panel that
        says why.
    data : pandas.DataFrame
        Per cell: class, and cluster and matched class in each shown run.
    """
    truth, runs = view.truth(dataset), view.shown(dataset)
    data = pd.DataFrame({"cell": view.expression(dataset).obs_names})
    count = len(runs) + (truth is not None)
    across = min(columns, max(count, 1))
    rows = math.ceil(max(count, 1) / across)
    # few panels stay small, unless they are wide ones
    panel = (PAGE_MM - 4) / (max(across, 3) if columns > 2 else columns)
    height = rows * (panel * aspect + 5.5) + _legend_height(truth) + 3
    figure = new_figure(PAGE_MM if across > 2 else panel * across + 4, height)
    axes = list(figure.subplots(rows, across, squeeze=False).flat)
    if truth is not None:
        _panel(axes.pop(0), truth, "Truth", paint)
        data["truth"] = truth.groups
        _legend(figure, truth)
    for run in runs:
        _method(axes.pop(0), view, run, paint, data, aspect)
    for empty in axes:
        empty.set_axis_off()
    return figure, data


def title(run: Shown) -> str:
    """Return a panel's title: the method, and the ARI of the run that is shown.

    Two lines where one would reach into the next of four panels.
    """
    if math.isnan(run.ari):
        return run.label
    gap = "\n" if len(run.label) > _LONG_NAME else "  "
    return f"{run.label}{gap}ARI {run.ari:.3f}"


def _method(
    ax: Axes, view: View, run: Shown, paint: Paint, data: pd.DataFrame, aspect: float
) -> None:
    """Draw one method's panel and add its columns to the data."""
    if run.seed is None:
        ax.set_title(title(run), loc="left", fontsize=TITLE)
        blank(ax, run.why, aspect)
        return
    partition = view.partition(run)
    _panel(ax, partition, title(run), paint)
    data[f"{run.label} seed {run.seed}"] = partition.groups
    data[f"{run.label} matched"] = partition.matched


def _panel(ax: Axes, partition: Partition, title: str, paint: Paint) -> None:
    paint(ax, partition)
    ax.set_title(title, loc="left", fontsize=TITLE)
    ax.set_xticks([])
    ax.set_yticks([])
    ax.spines[:].set_visible(False)


def blank(ax: Axes, why: str, aspect: float | None = None) -> None:
    """Say in an empty panel why there is nothing to draw."""
    ax.set_box_aspect(aspect)
    ax.set_anchor("NW")
    ax.set_xticks([])
    ax.set_yticks([])
    ax.spines[:].set(visible=True, color=UNLABELLED)
    told = "no result\n" + why.replace(", ", "\n").replace(" x ", " × ")
    ax.text(
        0.5, 0.5, told, color=FAILURE, ha="center", va="center", transform=ax.transAxes
    )  # fmt: skip


def _legend_columns(names: list[str]) -> int:
    """Return how many names of this length fit side by side on a page."""
    longest = max(len(name) for name in names)
    return max(1, min(len(names), int(PAGE_MM / (6 + 1.15 * longest))))


def _legend_height(truth: Partition | None) -> float:
    """Return the height of the legend, mm."""
    names = list(truth.colours) if truth else []
    return 3.4 * math.ceil(len(names) / _legend_columns(names)) if names else 0


def _legend(figure: Figure, truth: Partition) -> None:
    entries = dict(truth.colours)
    if (truth.groups == "").any():
        entries["unlabelled"] = UNLABELLED
    handles = [_dot(colour, name) for name, colour in entries.items()]
    figure.legend(
        handles=handles, loc="outside lower left", ncols=_legend_columns(list(entries)),
        borderaxespad=0,
    )  # fmt: skip


def _dot(colour: str, label: str) -> Any:
    return Line2D([], [], marker="o", ls="", ms=3.5, mfc=colour, mec="none", label=label)


def scattered(n: int) -> np.ndarray:
    """Return a fixed shuffled order, so that no class is always drawn on top."""
    return np.random.default_rng(0).permutation(n)
