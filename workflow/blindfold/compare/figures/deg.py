"""Markers of the true classes, in the classes and in a method's clusters, side by side."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.cm import ScalarMappable
from matplotlib.colors import Normalize
from matplotlib.figure import Figure
from matplotlib.lines import Line2D

from blindfold.compare.columns import Column
from blindfold.compare.drawing import Drawing, new_figure
from blindfold.compare.figure_data import ColouredPartition, FigureData
from blindfold.compare.palette import PAGE_MM, QUIET
from blindfold.compare.representative_run import RepresentativeRun
from blindfold.core import io
from blindfold.core.tables import MARKERS

TITLE, ORDER = "Marker genes", 90
COLUMNS = {
    "source": Column("truth, or the method"),
    "group": Column("class, or cluster with the class it is matched to"),
    "gene": Column("name of the gene"),
    "fraction": Column("share of the group that expresses it"),
    "mean": Column("mean log-normalised expression in the group"),
    "scaled": Column("mean over the larger maximum of both sides"),
}
_CMAP = "BuPu"
_GENES = 30
_CAPTION = (
    "The top {top} marker genes of each class of {dataset} (Wilcoxon, each class against the "
    "rest) in the true classes (left) and in the clusters of {method} (right; the best-ranked "
    "method that is no control, its seed {seed} of median ARI), clusters in the order of the "
    "classes they are matched to. Size: fraction of cells that express the gene; colour: mean "
    "log-normalised expression, scaled per gene by the larger maximum of both sides. A gene "
    "that marks several classes is listed once."
)


def draw(data: FigureData) -> Iterator[Drawing]:
    """Yield one figure per labelled dataset on which a competitor gave a result."""
    for dataset in data.datasets:
        truth, runs = data.truth(dataset), data.representative_runs(dataset)
        best = next((run for run in runs if run.seed is not None), None)
        markers = data.benchmark.results.markers(dataset, "oracle")
        if truth is None or best is None or not markers.is_file():
            continue
        top = max(1, min(3, _GENES // len(truth.colours)))
        genes = top_genes(io.read_parquet(markers, MARKERS), list(truth.colours), top)
        if not genes:
            continue
        table = expressed_genes(data, genes, truth, best)
        caption = _CAPTION.format(dataset=dataset, top=top, method=best.name, seed=best.seed)
        yield Drawing(f"deg_{dataset}", _plot(table, best.name), table, caption)


def top_genes(markers: pd.DataFrame, classes: list[str], top: int) -> list[str]:
    """Return the best genes of each class in the order of the classes, each once."""
    best = markers[markers["rank"] <= top].sort_values(["rank"], kind="stable")
    lists = [best.loc[best["group"] == name, "gene"].tolist() for name in classes]
    return list(dict.fromkeys(gene for genes in lists for gene in genes))


def expressed_genes(
    data: FigureData, genes: list[str], truth: ColouredPartition, run: RepresentativeRun
) -> pd.DataFrame:
    """Return fraction and mean expression per gene and group, for the truth and for a run.

    Returns
    -------
    pandas.DataFrame
        source, group (as labelled on the axis), gene, fraction, mean, scaled.
    """
    dense = data.expression(run.dataset)[:, genes].to_df().to_numpy()
    clusters, classes = data.partition(run), list(truth.colours)
    names = {
        group: f"{clusters.matching.get(group, 'unmatched')} ({group})"
        for group in clusters.in_order_of(classes)
    }
    parts = [
        _expressed(dense, genes, truth.groups, {name: name for name in classes}, "truth"),
        _expressed(dense, genes, clusters.groups, names, run.name),
    ]
    table = pd.concat(parts, ignore_index=True)
    highest = table.groupby("gene")["mean"].transform("max")
    table["scaled"] = (table["mean"] / highest.where(highest > 0, 1)).fillna(0)
    return table


def _expressed(
    dense: np.ndarray, genes: list[str], groups: np.ndarray, names: dict[str, str], source: str
) -> pd.DataFrame:
    """Return fraction and mean of each gene in each group, groups in the order of ``names``."""
    rows = []
    for group, name in names.items():
        cells = dense[groups == group]
        facts = zip(genes, (cells > 0).mean(axis=0), cells.mean(axis=0), strict=True)
        rows += [(source, name, gene, float(part), float(mean)) for gene, part, mean in facts]
    return pd.DataFrame(rows, columns=["source", "group", "gene", "fraction", "mean"])


def _plot(data: pd.DataFrame, method: str) -> Figure:
    """Draw both panels, their genes shared."""
    genes = list(dict.fromkeys(data["gene"]))
    sources = ["truth", method]
    groups = [list(dict.fromkeys(data.loc[data["source"] == s, "group"])) for s in sources]
    longest = max(len(name) for names in groups for name in names)
    width = min(PAGE_MM, 42 + 5 * sum(map(len, groups)))
    figure = new_figure(width, max(10 + 3.1 * len(genes) + 0.85 * longest, 55))
    counts = [max(len(names), 1) for names in groups]
    axes = figure.subplots(1, 3, width_ratios=[*counts, 0.16 * sum(counts) + 1])
    for ax, source, names in zip(axes, sources, groups, strict=False):
        _panel(ax, data[data["source"] == source], genes, names)
        ax.set_title("Truth" if source == "truth" else source, loc="left", fontweight="bold")
    axes[0].set_yticks(range(len(genes)), genes, fontstyle="italic")
    axes[1].set_yticks(range(len(genes)), [])
    _keys(axes[2])
    return figure


def _panel(ax: Axes, data: pd.DataFrame, genes: list[str], groups: list[str]) -> None:
    """Draw one dot per gene and group."""
    x = data["group"].map({name: index for index, name in enumerate(groups)})
    y = data["gene"].map({name: index for index, name in enumerate(genes)})
    ax.scatter(
        x, y, s=_area(data["fraction"].to_numpy()), c=data["scaled"], cmap=_CMAP, vmin=0, vmax=1,
        edgecolors=QUIET, linewidths=0.25,
    )  # fmt: skip
    ax.set_xlim(-0.6, len(groups) - 0.4)
    ax.set_ylim(len(genes) - 0.4, -0.6)
    ax.set_xticks(range(len(groups)), groups, rotation=90, ha="center", va="top")
    ax.tick_params(length=0)
    ax.spines[:].set(visible=True, color=QUIET)


def _area(fraction: np.ndarray) -> np.ndarray:
    return 0.3 + 32 * np.asarray(fraction) ** 1.5


def _keys(ax: Axes) -> None:
    """Explain colour and size in a column of their own."""
    ax.set_axis_off()
    handles = [
        Line2D(
            [], [], marker="o", ls="", mfc="white", mec=QUIET, mew=0.4, label=f"{100 * size:.0f} %",
            ms=float(np.sqrt(_area(np.array([size]))[0])),
        )
        for size in (0.25, 0.5, 0.75, 1.0)
    ]  # fmt: skip
    sizes = ax.legend(
        handles=handles, title="cells that\nexpress it", loc="upper left", alignment="left",
        borderaxespad=0,
    )  # fmt: skip
    sizes.set_in_layout(False)
    inset = ax.inset_axes((0.08, 0.08, 0.16, 0.36))
    bar = ax.figure.colorbar(ScalarMappable(Normalize(0, 1), _CMAP), cax=inset)
    bar.set_label("mean expression\n(scaled per gene)")
    bar.set_ticks([0, 0.5, 1])
    bar.outline.set_linewidth(0.4)  # type: ignore[operator]
