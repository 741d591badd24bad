"""Every seed of every method, between the bounds."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.lines import Line2D

from blindfold.compare.benchmark import with_names
from blindfold.compare.drawing import Drawing
from blindfold.compare.figure_data import FigureData
from blindfold.compare.method_order import method_order
from blindfold.compare.palette import FAILURE, FAINT, INK, QUIET, method_colour
from blindfold.compare.panels import dataset_grid, give_rows, name_methods

_CAPTION = (
    "ARI of every seed (dots), the mean (bar) and its 95 % bootstrap interval over seeds (line; "
    "none for a single seed). Dashed: mean of random labels; solid: the oracle. Methods in the "
    "order of the overall rank, controls in grey; red: how many of the planned runs failed, "
    "and how."
)


def draw(data: FigureData) -> Iterator[Drawing]:
    """Yield the strip plot, one panel per dataset."""
    order = method_order(data)
    ranking, methods = order.table, order.methods
    runs = data.at_main_k(with_names(data.benchmark.runs_with_scores()))
    datasets = data.benchmark.datasets
    figure, axes = dataset_grid(datasets, methods, above_mm=12, legend_mm=5, sharex=True)
    for ax, dataset in zip(axes.flat, datasets, strict=False):
        ranks = ranking[ranking["dataset"] == dataset].set_index("name")
        _panel(ax, runs[runs["dataset"] == dataset], ranks, methods)
    # shared by all panels
    axes.flat[0].set_xlim(np.nanmin([-0.02, *runs["ari"]]) - 0.04, 1.04)
    for empty in range(len(datasets), axes.size):
        axes.flat[empty - axes.shape[1]].tick_params(labelbottom=True)
    for ax in axes[:, 0]:
        name_methods(ax, methods, order.controls)
    _legend(figure)
    keep = ["dataset", "method", "variant", "k", "seed", "status", "ari", "nmi"]
    yield Drawing("seeds", figure, runs[keep], _CAPTION + order.note())


def _panel(ax: Axes, runs: pd.DataFrame, ranking: pd.DataFrame, methods: list[str]) -> None:
    """Draw one dataset."""
    random = ranking["mean_ari"].get("random_labels", np.nan)
    ax.axvline(1, color=INK, lw=0.6)
    if np.isfinite(random):
        ax.axvline(random, color=QUIET, lw=0.6, ls=(0, (4, 2)))
    for y, method in enumerate(methods):
        ax.axhline(y, color=FAINT, lw=0.5, zorder=0)
        part = runs[runs["name"] == method]
        _method(ax, y, part, ranking.loc[method])
    give_rows(ax, methods)
    ax.set_xlabel("ARI")
    ax.spines["left"].set_visible(False)


def _method(ax: Axes, y: int, part: pd.DataFrame, row: pd.Series) -> None:
    """Draw one method's seeds, mean, interval and failures."""
    colour = method_colour(row["method"])
    values = part.sort_values("seed")["ari"].dropna().to_numpy(float)
    if len(values):
        offset = np.linspace(-0.2, 0.2, len(values)) if len(values) > 1 else [0]
        ax.plot([row["ci_low"], row["ci_high"]], [y, y], color=colour, lw=1.2, alpha=0.6)
        ax.plot([row["mean_ari"]] * 2, [y - 0.32, y + 0.32], color=colour, lw=1.4)
        ax.plot(values, y + np.array(offset), "o", ms=2.8, mfc=colour, mec="white", mew=0.3)
    failed = part[~part["status"].isin(["ok", "unavailable"])]["status"]
    if len(failed):
        kinds = ", ".join(sorted(set(failed)))
        message = f"{len(failed)} of {len(part)} failed: {kinds}"
        left = not len(values) or values.min() > 0.55
        ax.text(
            0.02 if left else 0.99, y, message, color=FAILURE, fontsize=5.5, va="center",
            ha="left" if left else "right",
        )  # fmt: skip
    elif not len(values):
        ax.text(0.02, y, "not applicable", color=QUIET, fontsize=5.5, va="center")


def _legend(figure: Figure) -> None:
    """Explain the marks."""
    handles = [
        Line2D([], [], marker="o", ls="", ms=2.8, color=INK, label="seed"),
        Line2D([], [], marker="|", ls="", ms=6, mew=1.4, color=INK, label="mean"),
        Line2D([], [], color=INK, lw=1.2, alpha=0.6, label="95 % interval"),
        Line2D([], [], color=QUIET, lw=0.6, ls=(0, (4, 2)), label="random labels"),
        Line2D([], [], color=INK, lw=0.6, label="oracle"),
    ]
    figure.legend(handles=handles, loc="outside lower right", ncols=5)
