"""How near each method comes to the entries that were held out."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import numpy as np
import pandas as pd
from matplotlib.axes import Axes

from blindfold.compare import columns
from blindfold.compare.benchmark import with_names
from blindfold.compare.drawing import Drawing, new_figure
from blindfold.compare.figure_data import FigureData
from blindfold.compare.palette import FAILURE, FAINT, PAGE_MM, QUIET
from blindfold.compare.panels import give_rows, name_methods
from blindfold.compare.tables import imputation

TITLE, ORDER = "Imputation", 40
COLUMNS = {**columns.NAME, **imputation.COLUMNS}
_PANELS = {"l1_median": "median L1", "rmse": "RMSE", "cosine": "cosine"}
_CAPTION = (
    "Error at the held-out entries of each masked dataset, all on the scale log(1 + count): "
    "median absolute error and root mean square error (left is better), cosine (right is "
    "better, and near 1 for any constant). Marks: mean over seeds; lines: 95 % bootstrap "
    "interval over seeds (none for a single seed). Dashed: gene mean; dotted: mean of the "
    "nearest neighbours. Red: runs that failed."
)


def draw(data: FigureData) -> Iterator[Drawing]:
    """Yield one figure, a row of panels per masked dataset; none where nothing is masked."""
    table = data.at_main_k(with_names(imputation.build(data.benchmark)))
    table = table[table["metric"].isin(_PANELS)]
    datasets = [name for name in data.benchmark.datasets if name in set(table["dataset"])]
    if not datasets:
        return
    first = table[table["metric"] == "l1_median"]
    order = first.groupby("name")["rank"].mean().sort_values(kind="stable")
    methods = [str(name) for name in order.index]
    figure = new_figure(PAGE_MM, len(datasets) * (4.6 * len(methods) + 14) + 3)
    axes = figure.subplots(len(datasets), len(_PANELS), squeeze=False, sharey=True)
    for row, dataset in zip(axes, datasets, strict=True):
        for ax, metric in zip(row, _PANELS, strict=True):
            shown = table[(table["dataset"] == dataset) & (table["metric"] == metric)]
            _panel(ax, shown.set_index("name"), methods, data)
            ax.set_xlabel(_PANELS[metric])
        row[0].set_title(dataset, loc="left", fontweight="bold")
    yield Drawing("imputation", figure, table.reset_index(drop=True), _CAPTION)


def _panel(ax: Axes, table: pd.DataFrame, methods: list[str], data: FigureData) -> None:
    """Draw one metric on one dataset."""
    for name, style in zip(imputation.REFERENCES, ("--", ":"), strict=True):
        value = float(table[name].iloc[0])
        if np.isfinite(value):
            ax.axvline(value, color=QUIET, lw=0.7, ls=style, zorder=0)
    for y, name in enumerate(methods):
        ax.axhline(y, color=FAINT, lw=0.5, zorder=0)
        if name in table.index:
            _method(ax, y, data.style(name), table.loc[name])
    name_methods(ax, methods, data)
    give_rows(ax, methods)
    ax.margins(x=0.12)
    ax.spines["left"].set_visible(False)


def _method(ax: Axes, y: int, style: dict[str, Any], row: pd.Series) -> None:
    """Draw one method's mean, its interval and its failures."""
    if np.isfinite(row["mean"]):
        colour = style["mec"] if style["mfc"] == "white" else style["mfc"]
        ax.plot([row["ci_low"], row["ci_high"]], [y, y], color=colour, lw=1.2, alpha=0.6)
        ax.plot([row["mean"]], [y], ls="", ms=4.5, **style)
    if row["failed"]:
        ax.text(
            0.99, y, f"{row['failed']} failed", color=FAILURE, fontsize=5.5, va="center",
            ha="right", transform=ax.get_yaxis_transform(),
        )  # fmt: skip
