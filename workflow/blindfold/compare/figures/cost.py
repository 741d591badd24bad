"""Quality against time and memory."""

from __future__ import annotations

import math
from collections.abc import Iterator

import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.lines import Line2D
from matplotlib.ticker import LogLocator, NullFormatter, StrMethodFormatter

from blindfold.compare import columns
from blindfold.compare.benchmark import KEY, with_names
from blindfold.compare.columns import Column
from blindfold.compare.drawing import Drawing, new_figure
from blindfold.compare.figure_data import FigureData
from blindfold.compare.palette import FAINT, PAGE_MM
from blindfold.compare.panels import hide

TITLE, ORDER = "Quality against cost", 50
COLUMNS = {
    **columns.NAME,
    **columns.RUN,
    "ari": Column("ARI of the run"),
    "status": Column("how it ended"),
    "wall_s": Column("its wall-clock time", unit="s"),
    "peak_rss_mb": Column("its largest resident memory", unit="MiB"),
    "control": Column("whether the method is a bound"),
}
_AXES = {"wall_s": "wall-clock time, s", "peak_rss_mb": "peak memory, MiB"}
_CAPTION = (
    "Mean ARI over seeds against the cost of one run: wall-clock seconds and peak resident memory "
    "of the whole process tree, start of the interpreter and imports included (both logarithmic). "
    "Small dots are single seeds; up and to the left is better. Hollow markers are variants "
    "other than the described one. Only runs that ended ok are drawn."
)


def draw(data: FigureData) -> Iterator[Drawing]:
    """Yield the scatter plots, one row per dataset."""
    table = cost_and_quality(data)
    datasets = [name for name in data.benchmark.datasets if name in set(table["dataset"])]
    if not datasets:
        return
    across = 1 if len(datasets) <= 3 else 2
    rows = math.ceil(len(datasets) / across)
    figure = new_figure(PAGE_MM, (48 if across == 1 else 40) * rows + 3 + 9 * (across - 1))
    axes = figure.subplots(rows, 2 * across, squeeze=False, sharey="row")
    pairs = axes.reshape(-1, 2)
    for pair, dataset in zip(pairs, datasets, strict=False):
        shown = table[table["dataset"] == dataset]
        for ax, field in zip(pair, _AXES, strict=True):
            _panel(ax, shown, field, data)
        pair[0].set_title(dataset, loc="left", fontweight="bold")
    lowest = min(0, table["ari"].min())
    for ax in axes.flat:
        ax.set_ylim(lowest - 0.05, 1.05)
    for ax in axes[:, 0]:
        ax.set_ylabel("ARI")
    hide(pairs[len(datasets) :].flat)
    names = table.drop_duplicates("name").sort_values(["control", "name"])["name"]
    handles = [
        Line2D([], [], ls="", ms=_size(name), label=data.label(name), **data.style(name))
        for name in names
    ]
    if across == 1:
        figure.legend(handles=handles, loc="outside right center")
    else:
        figure.legend(handles=handles, loc="outside lower center", ncols=6)
    yield Drawing("cost", figure, table, _CAPTION)


def cost_and_quality(data: FigureData) -> pd.DataFrame:
    """Return cost and ARI of every run shown: those that ended ok, with the main k."""
    runs = data.benchmark.runs[[*KEY, "status", *_AXES]]
    table = data.benchmark.runs_with_scores()[[*KEY, "ari"]].merge(runs, on=KEY)
    table = data.at_main_k(table[table["status"] == "ok"])
    table = with_names(table.dropna(subset=["ari"]).astype(dict.fromkeys(_AXES, float)))
    return table.assign(control=table["method"].isin(data.benchmark.controls))


def _panel(ax: Axes, runs: pd.DataFrame, field: str, data: FigureData) -> None:
    """Draw one kind of cost on one dataset."""
    for (name, method), part in runs.groupby(["name", "method"], sort=True):
        colour, mean = data.colours[method], part[[field, "ari"]].mean()
        ax.plot(part[field], part["ari"], ".", ms=2.5, color=colour, alpha=0.6, mew=0)
        ax.plot([mean[field]], [mean["ari"]], ls="", ms=_size(name), **data.style(name))
    ax.set_xscale("log")
    _ticks(ax, runs[field])
    ax.set_xlabel(_AXES[field])
    ax.grid(color=FAINT, lw=0.4)


def _ticks(ax: Axes, values: pd.Series) -> None:
    """Label enough of a logarithmic axis to read it, however short."""
    low, high = float(values.min()) / 1.3, float(values.max()) * 1.3
    ax.set_xlim(low, high)
    few = np.log10(high / low) < 1.5
    ax.xaxis.set_major_locator(LogLocator(subs=(1, 2, 5) if few else (1,)))
    ax.xaxis.set_major_formatter(StrMethodFormatter("{x:,g}"))
    ax.xaxis.set_minor_formatter(NullFormatter())


def _size(name: str) -> int:
    """Return the size of a marker: hollow ones look larger than they are."""
    return 4 if "@" in name else 5
