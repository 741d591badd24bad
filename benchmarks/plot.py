"""Seconds per epoch and peak memory against cells, beside the authors' public code.

``originals.csv`` holds what that code needed on the same synthetic data with two threads of two
virtual AMD EPYC cores (scTAG 1dcff17, scGNN 09ac50b with cells; scRCL 6da3787, GraphST d62b0b7,
STAGATE_pyG ae1158c, GraphCVAE 6cad9ed, Spatial-MGCN cf4412d with spots); it is copied, not measured
again. Memory is in MiB.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pandas as pd
from matplotlib.axes import Axes
from matplotlib.lines import Line2D
from matplotlib.ticker import FuncFormatter, LogLocator, NullFormatter, NullLocator

from blindfold.compare.drawing import Drawing, house_style, new_figure, save
from blindfold.compare.palette import COLUMN_MM, FAINT, INK, PAGE_MM, class_colour
from blindfold.core.methods import display_name

ORIGINALS = Path(__file__).with_name("originals.csv")
LABELS = {"seconds_per_epoch": "seconds per epoch", "peak_mb": "peak memory, MiB"}
COLUMNS = 4
HEADROOM = 8  # above the curves, for the names of the phases
OURS, THEIRS = "this repository", "authors' code"
CAPTION = (
    "Median seconds per epoch of each phase and peak resident memory of the process, imports "
    "included, against the number of cells (all logarithmic). Dashed: the authors' public code on "
    "two threads, where it stayed below 20 GB and 6 minutes."
)


def plot(rows: list[dict[str, Any]], path: Path) -> Path:
    """Draw measurements, one column a method, and return the PNG's path.

    Parameters
    ----------
    rows
        As `benchmarks.measure.measure` returns them.
    path
        Folder and name, without suffix, of PDF, PNG, SVG and CSV.
    """
    table = collect(rows)
    names = list(dict.fromkeys(table["name"]))
    count = -(-len(names) // COLUMNS)
    columns = -(-len(names) // count)
    bands = [names[start : start + columns] for start in range(0, len(names), columns)]
    with house_style():
        figure = new_figure(min(PAGE_MM, max(COLUMN_MM, 58 * columns)), 8 + 76 * count)
        for part, band in zip(figure.subfigures(count, squeeze=False).flat, bands, strict=True):
            axes = part.subplots(2, columns, squeeze=False, sharex=True)
            for pair, name in zip(axes.T, band, strict=False):
                for ax, field in zip(pair, LABELS, strict=True):
                    panel(ax, table[table["name"] == name], field)
                    ax.set_ylim(*limits(table[field], HEADROOM if ax is pair[0] else 1))
                pair[0].set_title(name, loc="left", fontweight="bold")
                pair[1].set_xlabel("cells or spots")
            for ax in axes[:, len(band) :].flat:
                ax.set_visible(False)
            for ax in axes[:, 1:].flat:
                ax.tick_params(labelleft=False)
            for ax, text in zip(axes[:, 0], LABELS.values(), strict=True):
                ax.set_ylabel(text)
        handles = [
            Line2D([], [], color=INK, marker="o", ms=3, label=OURS),
            Line2D([], [], color=INK, ls="--", marker="o", ms=3, mfc="white", label=THEIRS),
        ]
        figure.legend(handles=handles, loc="outside lower center", ncols=2)
        save(Drawing(path.name, figure, table, CAPTION), path.parent)
    return path.with_suffix(".png")


def limits(values: pd.Series, headroom: float) -> tuple[float, float]:
    """Return the ends of a logarithmic axis around all values; a decade where there is none."""
    low, high = (values.min(), values.max()) if values.notna().any() else (0.1, 1.0)
    return low / 1.5, high * 1.5 * headroom


def collect(rows: list[dict[str, Any]]) -> pd.DataFrame:
    """Return one row per source, method, phase and size; originals of the methods measured."""
    ours = [
        {
            "name": display_name(row["method"], row["variant"]),
            "method": row["method"],
            "source": OURS,
            "phase": phase,
            "cells": row["cells"],
            "seconds_per_epoch": seconds,
            "peak_mb": row["peak_mb"],
        }
        for row in rows
        for phase, seconds in (row["phases"] or {"all": None}).items()
    ]
    table = pd.DataFrame(ours)
    theirs = pd.read_csv(ORIGINALS).drop(columns="note").assign(source=THEIRS)
    theirs = table[["name", "method"]].drop_duplicates().merge(theirs, on="method")
    return pd.concat([table, theirs], ignore_index=True).astype({"seconds_per_epoch": float})


def panel(ax: Axes, table: pd.DataFrame, field: str) -> None:
    """Draw one quantity of one method; memory does not depend on the phase."""
    phases = list(dict.fromkeys(table["phase"]))
    for index, phase in enumerate(phases if field == "seconds_per_epoch" else phases[:1]):
        colour = INK if field == "peak_mb" else class_colour(index)
        for source in (OURS, THEIRS):
            part = table[(table["phase"] == phase) & (table["source"] == source)]
            part = part.dropna(subset=[field]).sort_values("cells")
            ours = source == OURS
            ax.plot(
                part["cells"], part[field], "o-" if ours else "o--", ms=3, color=colour,
                mfc=colour if ours else "white",
                label=phase if ours and field == "seconds_per_epoch" else None,
            )  # fmt: skip
    ax.set_xscale("log")
    ax.set_yscale("log")
    ax.xaxis.set_major_locator(LogLocator(subs=(1, 2, 5)))
    ax.xaxis.set_major_formatter(FuncFormatter(lambda value, _: f"{value / 1000:g}k"))
    ax.xaxis.set_minor_locator(NullLocator())
    ax.yaxis.set_major_formatter(FuncFormatter(lambda value, _: f"{value:,g}"))
    ax.yaxis.set_minor_formatter(NullFormatter())
    ax.grid(color=FAINT, lw=0.4)
    if field == "seconds_per_epoch" and table["seconds_per_epoch"].notna().any():
        ax.legend(loc="upper left", ncols=2, columnspacing=0.8)
