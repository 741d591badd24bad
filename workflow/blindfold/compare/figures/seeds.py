"""Every seed of every method, between the bounds."""

from __future__ import annotations

import math
from collections.abc import Iterator

import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.lines import Line2D

from blindfold.compare.drawing import Drawing, new_figure
from blindfold.compare.gather import label
from blindfold.compare.palette import FAILURE, FAINT, INK, PAGE_MM, QUIET, method_colour
from blindfold.compare.standing import standing
from blindfold.compare.view import View

_CAPTION = (
    "ARI of every seed (dots), the mean (bar) and its 95 % bootstrap interval over seeds (line; "
    "none for a single seed). Dashed: mean of random labels; solid: the oracle. Methods in the "
    "order of the overall rank, controls in grey; red: how many of the planned runs failed, "
    "and how."
)
_COLUMNS = 3


def draw(view: View) -> Iterator[Drawing]:
    """Yield the strip plot, one panel per dataset."""
    stands = standing(view)
    ranking, methods = stands.table, stands.methods
    wide = view.material.wide()
    wide["name"] = list(map(label, wide["method"], wide["variant"]))
    datasets = list(view.material.plan.datasets)
    columns = min(len(datasets), _COLUMNS)
    rows = math.ceil(len(datasets) / columns)
    figure = new_figure(PAGE_MM if columns > 1 else 110, rows * (4.4 * len(methods) + 12) + 5)
    axes = figure.subplots(rows, columns, squeeze=False, sharex=True, sharey=True)
    shown = []
    for ax, dataset in zip(axes.flat, datasets, strict=False):
        here = wide[(wide["dataset"] == dataset) & (wide["k"] == view.k(dataset))]
        _panel(ax, here, ranking[ranking["dataset"] == dataset].set_index("name"), methods)
        ax.set_title(dataset, loc="left", fontweight="bold")
        shown.append(here)
    # shared by all panels
    drawn = pd.concat(shown)
    axes.flat[0].set_xlim(np.nanmin([-0.02, *drawn["ari"]]) - 0.04, 1.04)
    for empty in range(len(datasets), axes.size):
        axes.flat[empty].set_axis_off()
        axes.flat[empty - columns].tick_params(labelbottom=True)
    _names(axes, methods, ranking)
    _legend(figure)
    keep = ["dataset", "method", "variant", "k", "seed", "status", "ari", "nmi"]
    yield Drawing("seeds", figure, drawn[keep], _CAPTION + stands.note())


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
    ax.set_ylim(len(methods) - 0.4, -0.6)
    ax.set_xlabel("ARI")
    ax.tick_params(axis="y", length=0)
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
        told = f"{len(failed)} of {len(part)} failed: {kinds}"
        left = not len(values) or values.min() > 0.55
        ax.text(
            0.02 if left else 0.99, y, told, color=FAILURE, fontsize=5.5, va="center",
            ha="left" if left else "right",
        )  # fmt: skip
    elif not len(values):
        ax.text(0.02, y, "not applicable", color=QUIET, fontsize=5.5, va="center")


def _names(axes: np.ndarray, methods: list[str], ranking: pd.DataFrame) -> None:
    controls = set(ranking.loc[ranking["control"], "name"])
    for ax in axes[:, 0]:
        ax.set_yticks(range(len(methods)), methods)
        for text, name in zip(ax.get_yticklabels(), methods, strict=True):
            text.set_color(QUIET if name in controls else INK)


def _legend(figure: object) -> None:
    handles = [
        Line2D([], [], marker="o", ls="", ms=2.8, color=INK, label="seed"),
        Line2D([], [], marker="|", ls="", ms=6, mew=1.4, color=INK, label="mean"),
        Line2D([], [], color=INK, lw=1.2, alpha=0.6, label="95 % interval"),
        Line2D([], [], color=QUIET, lw=0.6, ls=(0, (4, 2)), label="random labels"),
        Line2D([], [], color=INK, lw=0.6, label="oracle"),
    ]
    figure.legend(handles=handles, loc="outside lower right", ncols=5)  # type: ignore[attr-defined]
