"""All methods on all datasets at a glance: quality, failures and coverage."""

from __future__ import annotations

import math
from collections.abc import Iterator
from typing import Any

import numpy as np
import pandas as pd
import seaborn as sns
from matplotlib.axes import Axes
from matplotlib.patches import Polygon

from blindfold.compare import columns
from blindfold.compare.drawing import Drawing, new_figure
from blindfold.compare.figure_data import FigureData
from blindfold.compare.method_order import MethodOrder, method_order
from blindfold.compare.palette import FAILURE, FAINT, INK, PAGE_MM, QUIET, VALUES
from blindfold.compare.panels import name_methods
from blindfold.compare.tables import ranking

TITLE, ORDER = "Quality and coverage", 10
COLUMNS = {**columns.NAME, **ranking.COLUMNS}
_METRICS = {"mean_ari": "ARI", "mean_nmi": "NMI"}
_CAPTION = (
    "Mean over seeds of each method on each dataset, methods in the order of the overall rank "
    "(failures count as worst), controls below the line in grey. A red fraction (or corner, "
    "where there is no room) marks results of fewer runs than planned; a red cross marks a method "
    "without any; a dash marks a method that does not apply. Right: planned runs that ended ok."
)


_WITH_SHARE, _WITH_NUMBER = 13.0, 5.0
"""Least width of a cell, mm, for the number and the fraction of runs, and for the number."""

_SIDE_BY_SIDE = 8
"""Most datasets for which the metrics stand beside each other; with more, one below the other."""


def draw(data: FigureData) -> Iterator[Drawing]:
    """Yield the heat map."""
    order = method_order(data)
    table, methods = order.table, order.methods
    datasets = data.benchmark.datasets
    stacked = len(datasets) > _SIDE_BY_SIDE
    across, down = (1, len(_METRICS)) if stacked else (len(_METRICS), 1)
    width = min(PAGE_MM, 46 + across * len(datasets) * 15 + 16)
    names = 2 + max(map(len, datasets)) if stacked else 10
    figure = new_figure(width, 5 + names + (6 + 4.6 * len(methods)) * down)
    last = max(0.9, 0.2 * len(datasets) / down)
    grid = figure.add_gridspec(down, across + 1, width_ratios=[*[len(datasets)] * across, last])
    cell = (width - 40) / (across * len(datasets) + last)
    for index, metric in enumerate(_METRICS):
        row, column = (index, 0) if stacked else (0, index)
        ax = figure.add_subplot(grid[row, column])
        _block(ax, table, methods, datasets, metric, cell)
        _names(ax, order, data, show=column == 0)
        if row < down - 1:
            ax.set_xticklabels([])
    _coverage(figure.add_subplot(grid[0, across]), table, methods)
    yield Drawing("summary", figure, table, _CAPTION + _audits(data) + order.note())


def _audits(data: FigureData) -> str:
    """Return what a caption says of datasets that were not prepared as a blind benchmark does."""
    audits = ", ".join(f"{name} ({what})" for name, what in data.benchmark.audits.items())
    return f" Audits, in the order only where there is nothing else: {audits}." if audits else ""


def _block(
    ax: Axes, table: pd.DataFrame, methods: list[str], datasets: list[str], metric: str,
    cell: float,
) -> None:  # fmt: skip
    """Draw one metric: methods x datasets, in cells of the given width, mm."""
    values = table.pivot(index="name", columns="dataset", values=metric)
    values = values.reindex(index=methods, columns=datasets).astype(float)
    labels = values.map(lambda value: f"{value:.2f}".replace("-0.00", "0.00"))
    ax.set_facecolor(FAINT)  # of cells without a value
    sns.heatmap(
        values, vmin=0, vmax=1, cmap=VALUES, cbar=False, linewidths=1, linecolor="white", ax=ax,
        annot=labels if cell > _WITH_NUMBER else False, fmt="", annot_kws={"fontsize": 6},
        xticklabels=True, yticklabels=True,
    )  # fmt: skip
    for row in table.to_dict("records"):
        if row["name"] in methods and row["dataset"] in datasets:
            corner = datasets.index(row["dataset"]), methods.index(row["name"])
            _mark(ax, corner, row, math.isnan(row[metric]), narrow=cell < _WITH_SHARE)
    ax.set_title(_METRICS[metric], loc="left", fontweight="bold", pad=4)
    long = len(datasets) > 4 or max(map(len, datasets)) > 10
    turn: dict[str, Any] = {"rotation": 45, "ha": "right", "rotation_mode": "anchor"}
    ax.set_xticks(np.arange(len(datasets)) + 0.5, datasets, **(turn if long else {}))
    ax.tick_params(length=0)
    ax.set(xlabel="", ylabel="")


def _mark(
    ax: Axes, corner: tuple[int, int], row: dict[str, Any], empty: bool, narrow: bool
) -> None:
    """Say in a cell which runs failed, or that the method does not apply."""
    x, y = corner
    share = f"{row['ok']}/{row['ok'] + row['failed']}"
    if empty:
        text = "–" if not row["failed"] else ("×" if narrow else f"× {share}")
        ax.text(
            x + 0.5, y + 0.5, text, ha="center", va="center", fontsize=6,
            color=FAILURE if row["failed"] else QUIET,
        )  # fmt: skip
    elif row["failed"] and narrow:
        corners = [(x + 0.7, y + 0.03), (x + 0.97, y + 0.03), (x + 0.97, y + 0.36)]
        ax.add_patch(Polygon(corners, fc=FAILURE, ec="white", lw=0.3))
    elif row["failed"]:
        box = {"fc": "white", "ec": "none", "pad": 0.6}
        ax.text(
            x + 0.98, y + 0.06, share, ha="right", va="top", fontsize=4.5, color=FAILURE, bbox=box
        )  # fmt: skip


def _names(ax: Axes, order: MethodOrder, data: FigureData, show: bool) -> None:
    """Write the methods' names and the line above the controls."""
    methods, controls = order.methods, order.controls
    name_methods(ax, methods, data, controls, at=0.5)
    if not show:
        ax.set_yticklabels([])
    first = sum(name not in controls for name in methods)
    if 0 < first < len(methods):
        ax.axhline(first, color=INK, lw=0.8)


def _coverage(ax: Axes, table: pd.DataFrame, methods: list[str]) -> None:
    """Draw the share of applicable planned runs that ended ok."""
    totals = table.groupby("name")[["ok", "failed"]].sum()
    for y, method in enumerate(methods):
        ok, failed = (int(number) for number in totals.loc[method])
        share = ok / max(ok + failed, 1)
        ax.barh(y + 0.5, 1, height=0.6, color=FAINT)
        ax.barh(y + 0.5, share, height=0.6, color=QUIET)
        ax.text(
            1.08, y + 0.5, f"{ok}/{ok + failed}", va="center", fontsize=6,
            color=FAILURE if failed else INK,
        )  # fmt: skip
    ax.set_xlim(0, 1.7)
    ax.set_ylim(len(methods), 0)
    ax.set_title("Runs ok", loc="left", fontweight="bold", pad=4)
    ax.set_xticks([])
    ax.set_yticks([])
    ax.spines[:].set_visible(False)
