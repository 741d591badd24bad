"""Every seed of every method, between the bounds."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np
import pandas as pd
import seaborn as sns
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.lines import Line2D

from blindfold.compare import columns
from blindfold.compare.benchmark import with_names
from blindfold.compare.columns import Column
from blindfold.compare.drawing import Drawing
from blindfold.compare.figure_data import FigureData
from blindfold.compare.method_order import method_order
from blindfold.compare.palette import FAILURE, FAINT, INK, QUIET
from blindfold.compare.panels import dataset_grid, give_rows, name_methods

TITLE, ORDER = "Every seed", 20
COLUMNS = {
    **columns.RUN,
    "status": Column("how the run ended"),
    "ari": Column("its ARI"),
    "nmi": Column("its NMI"),
}
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
        _panel(ax, runs[runs["dataset"] == dataset], ranks, methods, data.colours)
    # shared by all panels
    axes.flat[0].set_xlim(np.nanmin([-0.02, *runs["ari"]]) - 0.04, 1.04)
    for empty in range(len(datasets), axes.size):
        axes.flat[empty - axes.shape[1]].tick_params(labelbottom=True)
    for ax in axes[:, 0]:
        name_methods(ax, methods, data, order.controls)
    _legend(figure)
    keep = ["dataset", "method", "variant", "k", "seed", "status", "ari", "nmi"]
    yield Drawing("seeds", figure, runs[keep], _CAPTION + order.note())


def _panel(
    ax: Axes, runs: pd.DataFrame, ranking: pd.DataFrame, methods: list[str],
    colours: dict[str, str],
) -> None:  # fmt: skip
    """Draw one dataset."""
    floor = runs.loc[runs["method"] == "random_labels", "ari"].mean()
    ax.axvline(1, color=INK, lw=0.6)
    ax.axvline(floor, color=QUIET, lw=0.6, ls=(0, (4, 2)))
    for y, method in enumerate(methods):
        ax.axhline(y, color=FAINT, lw=0.5, zorder=0)
        part, row = runs[runs["name"] == method], ranking.loc[method]
        _mean(ax, y, row, colours[row["method"]])
        _failures(ax, y, part)
    sns.stripplot(
        runs.dropna(subset="ari"), x="ari", y="name", order=methods, hue="method",
        palette=colours, legend=False, size=2.8, jitter=0.2, edgecolor="white", linewidth=0.3,
        native_scale=False, ax=ax,
    )  # fmt: skip
    give_rows(ax, methods)
    ax.set(xlabel="ARI", ylabel="")
    ax.spines["left"].set_visible(False)


def _mean(ax: Axes, y: int, row: pd.Series, colour: str) -> None:
    """Draw one method's mean and interval."""
    if np.isfinite(row["mean_ari"]):
        ax.plot([row["ci_low"], row["ci_high"]], [y, y], color=colour, lw=1.2, alpha=0.6)
        ax.plot([row["mean_ari"]] * 2, [y - 0.32, y + 0.32], color=colour, lw=1.4)


def _failures(ax: Axes, y: int, part: pd.DataFrame) -> None:
    """Say how many runs of a method failed, and how, or that it does not apply."""
    values = part["ari"].dropna()
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
