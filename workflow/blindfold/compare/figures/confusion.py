"""Which classes each method keeps together."""

from __future__ import annotations

import math
from collections.abc import Iterator

import pandas as pd
import seaborn as sns
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.patches import Rectangle

from blindfold.compare.columns import Column
from blindfold.compare.drawing import Drawing, new_figure
from blindfold.compare.figure_data import ColouredPartition, FigureData
from blindfold.compare.palette import INK, PAGE_MM, VALUES
from blindfold.compare.panels import hide, panel_title, say_no_result
from blindfold.compare.representative_run import RepresentativeRun, list_seeds

TITLE, ORDER = "Classes and clusters", 80
COLUMNS = {
    "method": Column("name in figures: method, or method@variant"),
    "seed": Column("the seed that is shown"),
    "class": Column("true class"),
    "cluster": Column("cluster"),
    "share": Column("share of the class that lies in the cluster"),
}
_CAPTION = (
    "Where the cells of each class of {dataset} go, in percent of the class (rows add up to 100; "
    "values under 1 are left out). Columns are clusters in the order of the classes they are "
    "matched to (framed: counted as right); clusters without a class follow. Each method is shown "
    "by its seed of median ARI (k: {k}; {seeds}); controls and unlabelled cells are left out."
)


def draw(data: FigureData) -> Iterator[Drawing]:
    """Yield one figure per labelled dataset."""
    for dataset in data.datasets:
        truth, runs = data.truth(dataset), data.representative_runs(dataset)
        if truth is None or not runs:
            continue
        figure, shares = _plot(data, truth, runs)
        caption = _CAPTION.format(dataset=dataset, k=data.k(dataset), seeds=list_seeds(runs))
        yield Drawing(f"confusion_{dataset}", figure, shares, caption)


def _plot(
    data: FigureData, truth: ColouredPartition, runs: list[RepresentativeRun]
) -> tuple[Figure, pd.DataFrame]:
    """Draw one matrix per method."""
    classes = list(truth.colours)
    columns = min(3 if len(classes) <= 12 else 2, len(runs))
    rows = math.ceil(len(runs) / columns)
    names_mm = 1.1 * max(map(len, classes)) + 3
    side = min((PAGE_MM - names_mm) / max(columns, 2), max(42, 6.5 * len(classes)))
    width = min(PAGE_MM, names_mm + columns * side + 4)
    figure = new_figure(width, rows * (side * 0.9 + 8))
    axes = figure.subplots(rows, columns, squeeze=False).flat
    shares = []
    for index, (ax, run) in enumerate(zip(axes, runs, strict=False)):
        ax.set_title(panel_title(run, data), loc="left")
        if run.seed is None:
            say_no_result(ax, run.failures)
            continue
        clusters = data.partition(run)
        table = confusion(truth, clusters)
        _paint(ax, table, names=index % columns == 0)
        _frame(ax, table, clusters.matching)
        shares += [
            (run.name, run.seed, name, cluster, share)
            for name, row in table.iterrows()
            for cluster, share in row.items()
        ]
    hide(axes[len(runs) :])
    return figure, pd.DataFrame(shares, columns=["method", "seed", "class", "cluster", "share"])


def confusion(truth: ColouredPartition, clusters: ColouredPartition) -> pd.DataFrame:
    """Return the share of each class in each cluster, clusters in the order of the classes.

    Returns
    -------
    pandas.DataFrame
        classes x clusters; rows add up to 1.
    """
    known, classes = truth.groups != "", list(truth.colours)
    table = pd.crosstab(truth.groups[known], clusters.groups[known], normalize="index")
    columns = [group for group in clusters.in_order_of(classes) if group in table]
    return table.loc[classes, columns]


def _paint(ax: Axes, table: pd.DataFrame, names: bool) -> None:
    """Draw one matrix with its values, where there is room for them."""
    percent = (100 * table).round()
    labels = percent.map(lambda value: f"{value:.0f}" if value >= 1 else "")
    sns.heatmap(
        table, vmin=0, vmax=1, cmap=VALUES, cbar=False, square=False, ax=ax, fmt="",
        annot=labels if max(table.shape) <= 14 else False, annot_kws={"fontsize": 5},
        xticklabels=True, yticklabels=names,
    )  # fmt: skip
    ax.tick_params(length=0, labelrotation=0)
    ax.set(xlabel="cluster", ylabel="")


def _frame(ax: Axes, table: pd.DataFrame, matching: dict[str, str]) -> None:
    """Frame the class that each cluster is matched to."""
    for column, cluster in enumerate(table.columns):
        if cluster in matching:
            row = table.index.get_loc(matching[cluster])
            box = Rectangle((column, row), 1, 1, fill=False, ec=INK, lw=0.7)
            box.set_clip_on(False)
            ax.add_patch(box)
