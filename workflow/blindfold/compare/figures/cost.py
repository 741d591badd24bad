"""Quality against time and memory."""

from __future__ import annotations

import math
from collections.abc import Iterator
from typing import Any

import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.lines import Line2D
from matplotlib.ticker import LogLocator, NullFormatter, StrMethodFormatter

from blindfold.compare.drawing import Drawing, new_figure
from blindfold.compare.gather import KEY, label
from blindfold.compare.palette import FAINT, PAGE_MM, method_colour, method_marker
from blindfold.compare.view import View

_AXES = {"wall_s": "wall-clock time, s", "peak_rss_mb": "peak memory, MiB"}
_CAPTION = (
    "Mean ARI over seeds against the cost of one run: wall-clock seconds and peak resident memory "
    "of the whole process tree, start of the interpreter and imports included (both logarithmic). "
    "Small dots are single seeds; up and to the left is better. Hollow markers are variants "
    "other than the described one. Only runs that ended ok are drawn."
)


def draw(view: View) -> Iterator[Drawing]:
    """Yield the scatter plots, one row per dataset."""
    table = collect(view)
    datasets = [name for name in view.material.plan.datasets if name in set(table["dataset"])]
    if not datasets:
        return
    across = 1 if len(datasets) <= 3 else 2
    rows = math.ceil(len(datasets) / across)
    figure = new_figure(PAGE_MM, (48 if across == 1 else 40) * rows + 3 + 9 * (across - 1))
    axes = figure.subplots(rows, 2 * across, squeeze=False, sharey="row")
    pairs = axes.reshape(-1, 2)
    for pair, dataset in zip(pairs, datasets, strict=False):
        here = table[table["dataset"] == dataset]
        for ax, field in zip(pair, _AXES, strict=True):
            _panel(ax, here, field)
        pair[0].set_title(dataset, loc="left", fontweight="bold")
    lowest = min(0, table["ari"].min())
    for ax in axes.flat:
        ax.set_ylim(lowest - 0.05, 1.05)
    for ax in axes[:, 0]:
        ax.set_ylabel("ARI")
    for ax in pairs[len(datasets) :].flat:
        ax.set_axis_off()
    names = table.drop_duplicates("name").sort_values(["control", "name"])
    handles = [_handle(row) for row in names.itertuples()]
    if across == 1:
        figure.legend(handles=handles, loc="outside right center")
    else:
        figure.legend(handles=handles, loc="outside lower center", ncols=6)
    yield Drawing("cost", figure, table, _CAPTION)


def collect(view: View) -> pd.DataFrame:
    """Return cost and ARI of every run shown: those that ended ok, with the main k."""
    runs = view.material.runs[[*KEY, "status", *_AXES]]
    table = view.material.wide()[[*KEY, "ari"]].merge(runs, on=KEY)
    main = {dataset: view.k(dataset) for dataset in view.material.plan.datasets}
    table = table[(table["status"] == "ok") & (table["k"] == table["dataset"].map(main))]
    table = table.dropna(subset=["ari"]).astype(dict.fromkeys(_AXES, float))
    table.insert(0, "name", list(map(label, table["method"], table["variant"])))
    return table.assign(control=[view.material.is_control(name) for name in table["method"]])


def _panel(ax: Axes, runs: pd.DataFrame, field: str) -> None:
    """Draw one kind of cost on one dataset."""
    for (name, method), part in runs.groupby(["name", "method"], sort=True):
        colour = method_colour(str(method))
        hollow = "@" in str(name)
        ax.plot(part[field], part["ari"], ".", ms=2.5, color=colour, alpha=0.6, mew=0)
        ax.plot(
            [part[field].mean()], [part["ari"].mean()], method_marker(str(method)),
            ms=4 if hollow else 5,
            mfc="white" if hollow else colour, mec=colour if hollow else "white",
            mew=1 if hollow else 0.4,
        )  # fmt: skip
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


def _handle(row: Any) -> Line2D:
    colour, hollow = method_colour(row.method), "@" in row.name
    return Line2D(
        [], [], marker=method_marker(row.method), ls="", ms=4 if hollow else 5, label=row.name,
        mfc="white" if hollow else colour, mec=colour if hollow else "white",
        mew=1 if hollow else 0.4,
    )  # fmt: skip
