"""Panels that several figures share: small maps, and panels in which every method has a row."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable
from typing import Any

import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.lines import Line2D

from blindfold.compare.drawing import new_figure
from blindfold.compare.figure_data import ColouredPartition, FigureData
from blindfold.compare.palette import FAILURE, INK, PAGE_MM, QUIET, UNLABELLED
from blindfold.compare.representative_run import RepresentativeRun

TITLE, _LONG_NAME = 6, 20  # points, characters

Paint = Callable[[Axes, ColouredPartition], None]


def draw_maps(
    data: FigureData, dataset: str, paint: Paint, aspect: float, columns: int = 4
) -> tuple[Figure, pd.DataFrame]:
    """Draw the truth and the representative run of every method that is no control.

    Parameters
    ----------
    data
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
    cells : pandas.DataFrame
        Per cell: class, and cluster and matched class in each run that is shown.
    """
    truth, runs = data.truth(dataset), data.representative_runs(dataset)
    cells = pd.DataFrame({"cell": data.expression(dataset).obs_names})
    count = len(runs) + (truth is not None)
    across = min(columns, max(count, 1))
    rows = math.ceil(max(count, 1) / across)
    # few panels stay small, unless they are wide ones
    panel = (PAGE_MM - 4) / (max(across, 3) if columns > 2 else columns)
    height = rows * (panel * aspect + 5.5) + _legend_height(truth) + 3
    figure = new_figure(PAGE_MM if across > 2 else panel * across + 4, height)
    axes = list(figure.subplots(rows, across, squeeze=False).flat)
    cells["truth"] = "" if truth is None else truth.groups
    if truth is not None:
        _draw_map(axes.pop(0), truth, "Truth", paint)
        _legend(figure, truth)
    for run in runs:
        ax, title = axes.pop(0), panel_title(run, data)
        if run.seed is None:
            ax.set_title(title, loc="left", fontsize=TITLE)
            say_no_result(ax, run.failures, aspect)
            continue
        partition = data.partition(run)
        _draw_map(ax, partition, title, paint)
        cells[f"{run.name} seed {run.seed}"] = partition.groups
        cells[f"{run.name} matched"] = partition.matched
    hide(axes)
    return figure, cells


def panel_title(run: RepresentativeRun, data: FigureData) -> str:
    """Return a panel's title: the method, and the ARI of the run that is shown.

    Two lines where one would reach into the next of four panels.
    """
    name = data.label(run.name)
    if math.isnan(run.ari):
        return name
    gap = "\n" if len(name) > _LONG_NAME else "  "
    return f"{name}{gap}ARI {run.ari:.3f}"


def _draw_map(ax: Axes, partition: ColouredPartition, title: str, paint: Paint) -> None:
    paint(ax, partition)
    ax.set_title(title, loc="left", fontsize=TITLE)
    ax.set_xticks([])
    ax.set_yticks([])
    ax.spines[:].set_visible(False)


def say_no_result(ax: Axes, why: str, aspect: float | None = None) -> None:
    """Say in an empty panel why there is nothing to draw."""
    ax.set_box_aspect(aspect)
    ax.set_anchor("NW")
    ax.set_xticks([])
    ax.set_yticks([])
    ax.spines[:].set(visible=True, color=UNLABELLED)
    message = "no result\n" + why.replace(", ", "\n").replace(" x ", " × ")
    ax.text(0.5, 0.5, message, color=FAILURE, ha="center", va="center", transform=ax.transAxes)


def hide(axes: Iterable[Axes]) -> None:
    """Leave the rest of a grid empty."""
    for ax in axes:
        ax.set_axis_off()


def _legend_columns(names: list[str]) -> int:
    """Return how many names of this length fit side by side on a page."""
    longest = max(len(name) for name in names)
    return max(1, min(len(names), int(PAGE_MM / (6 + 1.15 * longest))))


def _legend_height(truth: ColouredPartition | None) -> float:
    """Return the height of the legend, mm."""
    names = list(truth.colours) if truth else []
    return 3.4 * math.ceil(len(names) / _legend_columns(names)) if names else 0


def _legend(figure: Figure, truth: ColouredPartition) -> None:
    """Name the colours of the classes."""
    entries = dict(truth.colours)
    if (truth.groups == "").any():
        entries["unlabelled"] = UNLABELLED
    dot: dict[str, Any] = {"marker": "o", "ls": "", "ms": 3.5, "mec": "none"}
    handles = [Line2D([], [], mfc=colour, label=name, **dot) for name, colour in entries.items()]
    figure.legend(
        handles=handles, loc="outside lower left", ncols=_legend_columns(list(entries)),
        borderaxespad=0,
    )  # fmt: skip


def shuffled_order(n: int) -> np.ndarray:
    """Return a fixed shuffled order, so that no class is always drawn on top."""
    return np.random.default_rng(0).permutation(n)


def dataset_grid(
    datasets: list[str],
    methods: list[str],
    above_mm: float,
    legend_mm: float = 0,
    sharex: bool = False,
) -> tuple[Figure, np.ndarray]:
    """Return a panel per dataset, three in a row, with room for a row per method.

    Parameters
    ----------
    datasets, methods
        Names.
    above_mm, legend_mm
        Height that a panel needs beside its rows, and the figure beside its panels.
    sharex
        Whether all panels have the same horizontal axis; the vertical one they always share.

    Returns
    -------
    figure : matplotlib.figure.Figure
        The figure.
    axes : numpy.ndarray
        Rows x columns; those beyond the last dataset are empty.
    """
    columns = min(len(datasets), 3)
    rows = math.ceil(len(datasets) / columns)
    height = rows * (4.4 * len(methods) + above_mm) + legend_mm
    figure = new_figure(PAGE_MM if columns > 1 else 110, height)
    axes = figure.subplots(rows, columns, squeeze=False, sharex=sharex, sharey=True)
    for ax, dataset in zip(axes.flat, datasets, strict=False):
        ax.set_title(dataset, loc="left", fontweight="bold")
    hide(axes.flat[len(datasets) :])
    return figure, axes


def give_rows(ax: Axes, methods: list[str]) -> None:
    """Give every method a row of the panel, the first on top."""
    ax.set_ylim(len(methods) - 0.4, -0.6)
    ax.tick_params(axis="y", length=0)


def name_methods(
    ax: Axes, methods: list[str], data: FigureData, controls: Iterable[str] = (), at: float = 0
) -> None:
    """Write the methods' names beside their rows, controls in grey."""
    ax.set_yticks(np.arange(len(methods)) + at, [data.label(name) for name in methods])
    # where panels share the axis, inner ones have no labels
    for text, name in zip(ax.get_yticklabels(), methods, strict=False):
        text.set_color(QUIET if name in controls else INK)
