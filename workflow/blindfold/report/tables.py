"""The tables of the page: headings, how each cell is made, and what is to be known."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from blindfold.report.cells import (
    Cell,
    Row,
    Rows,
    dataset_cell,
    flag,
    interval_cell,
    method_cell,
    method_name,
    number,
    rank,
    text,
    values_of,
)

_GENES = 8


@dataclass(frozen=True)
class Table:
    """A table of the page.

    Parameters
    ----------
    key
        Anchor, and the name of the CSV behind it.
    title, note
        Heading and what is to be known.
    headers
        Column headings.
    rows
        Cells, with the values that filters look at.
    filters
        Heading and values of each filter, by its key.
    """

    key: str
    title: str
    note: str
    headers: list[str]
    rows: list[tuple[dict[str, str], list[Cell]]]
    filters: dict[str, list[str]]


@dataclass(frozen=True)
class TableSpec:
    """What a table shows of a CSV.

    Parameters
    ----------
    key, title, note
        As of `Table`.
    columns
        What makes the cell of a row, by heading.
    filters
        Fields that rows can be chosen by.
    results_only
        Whether rows of methods none of whose runs ended ok are left out.
    """

    key: str
    title: str
    note: str
    filters: list[str]
    columns: dict[str, Callable[[Row], Cell]]
    results_only: bool = False

    def fill(self, rows: Rows) -> Table:
        """Return the table of these rows."""
        body = [
            (
                {field: row[field] for field in self.filters},
                [make(row) for make in self.columns.values()],
            )
            for row in rows
            if not self.results_only or row["n"] != "0"
        ]
        filters = {field: values_of(rows, field) for field in self.filters}
        filters.get("status", []).sort()
        return Table(self.key, self.title, self.note, list(self.columns), body, filters)


def marker_lists(rows: Rows, ranking: Rows) -> Rows:
    """Return the first marker genes of each class, and of each cluster of the best method."""
    best: dict[str, str] = {}
    for row in ranking:
        if row["control"] == "False" and row["ok"] != "0":
            best.setdefault(row["dataset"], method_name(row))
    lists: dict[tuple[str, ...], Row] = {}
    for row in rows:
        source = method_name(row)
        if source in ("oracle", best.get(row["dataset"])) and int(row["rank"]) <= _GENES:
            key = (row["dataset"], source, row["group"], row["matched_class"])
            genes = [lists[key]["genes"]] if key in lists else []
            shown = "truth" if source == "oracle" else source
            lists[key] = {**row, "source": shown, "genes": ", ".join([*genes, row["gene"]])}
    return list(lists.values())


def _of(field: str, make: Callable[..., Cell] = number, *how: Any) -> Callable[[Row], Cell]:
    """Return what makes a cell of one field of a row."""
    return lambda row: make(row[field], *how)


def _runs_ok(row: Row) -> Cell:
    planned = int(row["planned"]) - int(row["unavailable"])
    return Cell(f"{row['ok']} of {planned}", row["ok"], "number")


def _device(row: Row) -> Cell:
    return text(f"{row['device']} ({row['lease']})" if row["lease"] else row["device"])


_RUN = {"Dataset": dataset_cell, "Method": method_cell, "K": _of("k", text)}

_RANKING = TableSpec(
    "ranking", "Ranking",
    "Failed runs count as the worst possible ARI (-0.5) in the ranks; means and intervals are over "
    "the runs that ended ok. Overall, methods are ranked by their mean relative rank on the "
    "datasets they apply to, which need not be the same for all; audits count only where there is "
    "nothing else. Intervals: bootstrap over seeds, overall over datasets, then seeds. Scaled: 0 "
    "at random labels, 1 at the oracle. The baseline is smoothed PCA with k-means on tissues, PCA "
    "with k-means on cells.",
    filters=["dataset"],
    columns={
        "Dataset": dataset_cell, "K": _of("k", text), "Rank": _of("rank", rank),
        "Method": method_cell, "": _of("control", flag, "control", ""), "ARI": _of("mean_ari"),
        "95 % interval": interval_cell, "NMI": _of("mean_nmi"), "Scaled": _of("scaled"),
        "Runs ok": _runs_ok, "Failed": _of("failed"), "n/a": _of("unavailable"),
        "Beats the baseline": _of("beats_smoothed_pca", flag),
    },
)  # fmt: skip

_IMPUTATION = TableSpec(
    "imputation", "Imputation",
    "At entries that were held out before anything was derived from the counts, all methods on "
    "the scale log(1 + count). A method with a failed run ranks last. Every constant gets a cosine "
    "near 1: read it beside the gene mean.",
    filters=["metric", "dataset"],
    columns={
        "Dataset": dataset_cell, "K": _of("k", text), "Metric": _of("metric", text),
        "Better": _of("best", text), "Rank": _of("rank", rank), "Method": method_cell,
        "Mean": _of("mean"), "95 % interval": interval_cell, "Gene mean": _of("gene_mean"),
        "Neighbour mean": _of("neighbour_mean"), "Beats gene mean": _of("beats_gene_mean", flag),
        "Beats neighbour mean": _of("beats_neighbour_mean", flag), "Runs ok": _of("n"),
        "Failed": _of("failed"),
    },
)  # fmt: skip

_RUNS = TableSpec(
    "runs", "Runs",
    "Every planned run, with how it ended and why. A failure is a row, never a gap.",
    filters=["status", "dataset"],
    columns={
        **_RUN, "Seed": _of("seed"), "Status": _of("status", text, "status"),
        "Reason": _of("reason", text),
        "Clusters": _of("n_clusters"), "Wall, s": _of("wall_s", number, 1),
        "Memory, MiB": _of("peak_rss_mb", number, 0), "Device": _device, "Attempt": _of("attempt"),
        "Protection": _of("sandbox", text),
    },
)  # fmt: skip

_CLUSTERS = TableSpec(
    "clusters", "Numbers of clusters",
    "Over the runs that ended ok: the number of clusters asked for, none where the method had to "
    "estimate it by its rule, and found (median, least, most), beside the number of hidden "
    "classes. Error: mean of found minus classes; exact: share of runs without error.",
    filters=["dataset", "k"],
    columns={
        **_RUN, "Rule": _of("k_rule", text), "Runs": _of("n"), "Asked": _of("asked"),
        "Found": _of("found", number, 1), "Least": _of("found_min"), "Most": _of("found_max"),
        "Classes": _of("classes"), "Error": _of("error", number, 1),
        "Exact": _of("exact", number, 2),
    },
    results_only=True,
)  # fmt: skip

_COST = TableSpec(
    "cost", "Cost",
    "Median over the runs that ended ok: whole process tree, start of the interpreter and imports "
    "included; fit is the method alone.",
    filters=["dataset"],
    columns={
        **_RUN, "Runs": _of("n"), "Wall, s": _of("wall_s_median", number, 1),
        "CPU, s": _of("cpu_s_median", number, 1), "Fit, s": _of("fit_s_median", number, 1),
        "Memory, MiB": _of("peak_rss_mb_median", number, 0),
        "GPU memory, MiB": _of("peak_gpu_mb_median", number, 0),
    },
    results_only=True,
)  # fmt: skip

_MARKERS = TableSpec(
    "markers", "Recovery of markers",
    "How much of the top 20 marker genes of the true classes the matched clusters recover (mean "
    "Jaccard index), beside what random labels get.",
    filters=["dataset"],
    columns={
        **_RUN, "Overlap": _of("mean"), "Random floor": _of("random_floor"),
        "Above the floor": _of("above_floor"), "Runs": _of("n"),
    },
    results_only=True,
)  # fmt: skip

_DEG = TableSpec(
    "deg", "Marker genes",
    f"The first {_GENES} marker genes (Wilcoxon) of each true class and of each cluster of the "
    "best-ranked method that is no control; all methods in the download.",
    filters=["dataset"],
    columns={
        "Dataset": dataset_cell, "Source": _of("source", text, "name"), "Group": _of("group", text),
        "Matched class": _of("matched_class", text), "Genes": _of("genes", text),
    },
)  # fmt: skip

_DATASETS = TableSpec(
    "datasets", "Datasets", note="", filters=[],
    columns={
        "Dataset": dataset_cell, "Status": _of("status", text, "status"),
        "Reason": _of("reason", text),
        "Title": _of("title", text), "Modality": _of("modality", text),
        "Technology": _of("technology", text), "Licence": _of("licence", text),
        "Cells": _of("cells"), "Genes": _of("genes"), "Labelled": _of("labelled"),
        "Classes": _of("n_clusters"),
    },
)  # fmt: skip

_SPECS = [_RANKING, _IMPUTATION, _RUNS, _CLUSTERS, _COST, _MARKERS, _DEG, _DATASETS]


def page_tables(tables: dict[str, Rows]) -> dict[str, Table]:
    """Return the tables of the page by key."""
    rows = {**tables, "deg": marker_lists(tables["deg"], tables["ranking"])}
    return {spec.key: spec.fill(rows[spec.key]) for spec in _SPECS}
