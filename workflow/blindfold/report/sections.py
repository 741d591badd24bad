"""What each section of the page says."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable
from typing import Any

from blindfold.report.tables import (
    Cell,
    Row,
    Rows,
    Table,
    dataset_name,
    flag,
    interval,
    method_name,
    name,
    number,
    rank,
    status,
    text,
    values_of,
)

_PROTECTION = {
    "bwrap": "bubblewrap sandbox (allow-list of files, no network) and tripwire",
    "tripwire": "tripwire on file access, without a sandbox",
    "none": "no protection",
}
_GENES = 8


def overview(runs: Rows, ranking: Rows) -> dict[str, Any]:
    """Count what ran.

    Returns
    -------
    dict
        Numbers of datasets, methods and runs, and how many runs ended how.
    """
    counts = Counter(row["status"] for row in runs)
    methods = {method_name(row) for row in runs}
    controls = {method_name(row) for row in ranking if row["control"] == "True"}
    failed = sum(n for kind, n in counts.items() if kind not in ("ok", "unavailable"))
    return {
        "datasets": len(values_of(runs, "dataset")),
        "methods": len(methods - controls),
        "controls": len(methods & controls),
        "runs": len(runs),
        "ok": counts["ok"],
        "failed": failed,
        "unavailable": counts["unavailable"],
        "statuses": dict(sorted(counts.items())),
    }


def protection(runs: Rows) -> list[str]:
    """Say under which protection runs were started, and how many."""
    counts = Counter(row["sandbox"] for row in runs if row["sandbox"])
    return [f"{_PROTECTION.get(kind, kind)}: {n} runs" for kind, n in sorted(counts.items())]


def verdicts(ranking: Rows) -> dict[str, list[str]]:
    """Return for each dataset the methods that do not beat (smoothed) PCA with k-means."""
    beaten: dict[str, list[str]] = {}
    for row in ranking:
        if row["dataset"] != "overall" and row["beats_smoothed_pca"] == "False":
            beaten.setdefault(row["dataset"], []).append(method_name(row))
    return {dataset: list(dict.fromkeys(names)) for dataset, names in beaten.items()}


def page_tables(tables: dict[str, Rows]) -> dict[str, Table]:
    """Return the tables of the page by key."""
    made = [
        _ranking(tables["ranking"]),
        _imputation(tables["imputation"]),
        _runs(tables["runs"]),
        _clusters(tables["clusters"]),
        _cost(tables["cost"]),
        _markers(tables["markers"]),
        _deg(tables["deg"], tables["ranking"]),
        _datasets(tables["datasets"]),
    ]
    return {table.key: table for table in made}


def _ranking(rows: Rows) -> Table:
    headers = [
        "Dataset", "K", "Rank", "Method", "", "ARI", "95 % interval", "NMI",
        "Scaled", "Runs ok", "Failed", "n/a", "Beats the baseline",
    ]  # fmt: skip
    body = [({"dataset": row["dataset"]}, _ranking_cells(row)) for row in rows]
    note = (
        "Failed runs count as the worst possible ARI (-0.5) in the ranks; means and intervals are "
        "over the runs that ended ok. Overall, methods are ranked by their mean relative rank on "
        "the datasets they apply to, which need not be the same for all; audits count only where "
        "there is nothing else. "
        "Intervals: bootstrap over seeds, overall over datasets, then seeds. Scaled: 0 at random "
        "labels, 1 at the oracle. The baseline is smoothed PCA with k-means on tissues, PCA with "
        "k-means on cells."
    )
    return Table("ranking", "Ranking", note, headers, body, {"dataset": values_of(rows, "dataset")})


def _ranking_cells(row: Row) -> list[Cell]:
    planned = int(row["planned"]) - int(row["unavailable"])
    return [
        dataset_name(row),
        text(row["k"]),
        rank(row["rank"]),
        name(method_name(row)),
        flag(row["control"], "control", ""),
        number(row["mean_ari"]),
        interval(row),
        number(row["mean_nmi"]),
        number(row["scaled"]),
        Cell(f"{row['ok']} of {planned}", row["ok"], "number"),
        number(row["failed"]),
        number(row["unavailable"]),
        flag(row["beats_smoothed_pca"], "yes", "no"),
    ]


def _imputation(rows: Rows) -> Table:
    headers = [
        "Dataset", "K", "Metric", "Better", "Rank", "Method", "Mean", "95 % interval", "Gene mean",
        "Neighbour mean", "Beats gene mean", "Beats neighbour mean", "Runs ok", "Failed",
    ]  # fmt: skip
    body = [
        (
            {"dataset": row["dataset"], "metric": row["metric"]},
            [
                dataset_name(row), text(row["k"]), text(row["metric"]), text(row["best"]),
                rank(row["rank"]), name(method_name(row)), number(row["mean"]), interval(row),
                number(row["gene_mean"]), number(row["neighbour_mean"]),
                flag(row["beats_gene_mean"], "yes", "no"),
                flag(row["beats_neighbour_mean"], "yes", "no"),
                number(row["n"]), number(row["failed"]),
            ],
        )
        for row in rows
    ]  # fmt: skip
    note = (
        "At entries that were held out before anything was derived from the counts, all methods "
        "on the scale log(1 + count). A method with a failed run ranks last. Every constant gets "
        "a cosine near 1: read it beside the gene mean."
    )
    filters = {"metric": values_of(rows, "metric"), "dataset": values_of(rows, "dataset")}
    return Table("imputation", "Imputation", note, headers, body, filters)


def _runs(rows: Rows) -> Table:
    headers = [
        "Dataset", "Method", "K", "Seed", "Status", "Reason", "Clusters", "Wall, s", "Memory, MiB",
        "Device", "Attempt", "Protection",
    ]  # fmt: skip
    body = [
        (
            {"dataset": row["dataset"], "status": row["status"]},
            [
                dataset_name(row), name(method_name(row)), text(row["k"]), number(row["seed"]),
                status(row["status"]), text(row["reason"]), number(row["n_clusters"]),
                number(row["wall_s"], 1), number(row["peak_rss_mb"], 0), text(_device(row)),
                number(row["attempt"]), text(row["sandbox"]),
            ],
        )
        for row in rows
    ]  # fmt: skip
    note = "Every planned run, with how it ended and why. A failure is a row, never a gap."
    filters = {"status": sorted(values_of(rows, "status")), "dataset": values_of(rows, "dataset")}
    return Table("runs", "Runs", note, headers, body, filters)


def _device(row: Row) -> str:
    return f"{row['device']} ({row['lease']})" if row["lease"] else row["device"]


def _clusters(rows: Rows) -> Table:
    headers = [
        "Dataset", "Method", "K", "Rule", "Runs", "Asked", "Found", "Least", "Most", "Classes",
        "Error", "Exact",
    ]  # fmt: skip
    fields = ["n", "asked", "found", "found_min", "found_max", "classes", "error", "exact"]
    digits = {"found": 1, "error": 1, "exact": 2}
    body = [
        (
            {"dataset": row["dataset"], "k": row["k"]},
            [
                dataset_name(row), name(method_name(row)), text(row["k"]), text(row["k_rule"]),
                *(number(row[field], digits.get(field, 0)) for field in fields),
            ],
        )
        for row in rows
        if row["n"] != "0"
    ]  # fmt: skip
    note = (
        "Over the runs that ended ok: the number of clusters asked for, none where the method had "
        "to estimate it by its rule, and found (median, least, most), beside the number of hidden "
        "classes. Error: mean of found minus classes; exact: share of runs without error."
    )
    filters = {"dataset": values_of(rows, "dataset"), "k": values_of(rows, "k")}
    return Table("clusters", "Numbers of clusters", note, headers, body, filters)


def _cost(rows: Rows) -> Table:
    headers = [
        "Dataset", "Method", "K", "Runs", "Wall, s", "CPU, s", "Fit, s", "Memory, MiB",
        "GPU memory, MiB",
    ]  # fmt: skip
    fields = ["wall_s", "cpu_s", "fit_s", "peak_rss_mb", "peak_gpu_mb"]
    body = [
        (
            {"dataset": row["dataset"]},
            [
                dataset_name(row),
                name(method_name(row)),
                text(row["k"]),
                number(row["n"]),
                *(number(row[f"{field}_median"], 0 if "mb" in field else 1) for field in fields),
            ],
        )
        for row in rows
        if row["n"] != "0"
    ]
    note = (
        "Median over the runs that ended ok: whole process tree, start of the interpreter and "
        "imports included; fit is the method alone."
    )
    return Table("cost", "Cost", note, headers, body, {"dataset": values_of(rows, "dataset")})


def _markers(rows: Rows) -> Table:
    headers = ["Dataset", "Method", "K", "Overlap", "Random floor", "Above the floor", "Runs"]
    body = [
        (
            {"dataset": row["dataset"]},
            [
                dataset_name(row), name(method_name(row)), text(row["k"]), number(row["mean"]),
                number(row["random_floor"]), number(row["above_floor"]), number(row["n"]),
            ],
        )
        for row in rows
        if row["n"] != "0"
    ]  # fmt: skip
    note = (
        "How much of the top 20 marker genes of the true classes the matched clusters recover "
        "(mean Jaccard index), beside what random labels get."
    )
    return Table(
        "markers", "Recovery of markers", note, headers, body,
        {"dataset": values_of(rows, "dataset")},
    )  # fmt: skip


def _deg(rows: Rows, ranking: Rows) -> Table:
    best: dict[str, str] = {}
    for row in ranking:
        if row["control"] == "False" and row["ok"] != "0":
            best.setdefault(row["dataset"], method_name(row))
    lists: dict[tuple[str, ...], list[str]] = {}
    shown_datasets: dict[str, Cell] = {}
    for row in rows:
        source = method_name(row)
        if source in ("oracle", best.get(row["dataset"])) and int(row["rank"]) <= _GENES:
            shown = "truth" if source == "oracle" else source
            key = (row["dataset"], shown, row["group"], row["matched_class"])
            shown_datasets[row["dataset"]] = dataset_name(row)
            lists.setdefault(key, []).append(row["gene"])
    body = [
        (
            {"dataset": key[0]},
            [shown_datasets[key[0]], name(key[1]), *map(text, key[2:]), text(", ".join(genes))],
        )
        for key, genes in lists.items()
    ]
    note = (
        f"The first {_GENES} marker genes (Wilcoxon) of each true class and of each cluster of "
        "the best-ranked method that is no control; all methods in the download."
    )
    headers = ["Dataset", "Source", "Group", "Matched class", "Genes"]
    return Table(
        "deg", "Marker genes", note, headers, body, {"dataset": values_of(rows, "dataset")}
    )


def _datasets(rows: Rows) -> Table:
    fields = [
        "dataset", "status", "reason", "title", "modality", "technology", "licence", "cells",
        "genes", "labelled", "n_clusters",
    ]  # fmt: skip
    headers = [
        "Dataset", "Status", "Reason", "Title", "Modality", "Technology", "Licence", "Cells",
        "Genes", "Labelled", "Classes",
    ]  # fmt: skip
    make: dict[str, Callable[[str], Cell]] = {"status": status}
    make |= dict.fromkeys(fields[-4:], number)
    body: list[tuple[dict[str, str], list[Cell]]] = [
        ({}, [dataset_name(row), *(make.get(field, text)(row[field]) for field in fields[1:])])
        for row in rows
    ]
    return Table("datasets", "Datasets", "", headers, body, {})


def provenance(facts: dict[str, Any]) -> list[tuple[str, str]]:
    """Return what provenance says, as pairs of heading and value."""
    git, hardware = facts["repository"], facts["hardware"]
    state = {True: " with uncommitted changes", False: "", None: ""}[git["dirty"]]
    pairs = [
        ("Commit", (git["commit"] or "unknown: no git") + state),
        ("Python", facts["versions"]["python"]),
        ("System", hardware["system"]),
        ("Processor", f"{hardware['cpu']}, {hardware['cores']} cores"),
        ("Memory", f"{hardware['memory_gb']} GiB"),
        ("Devices used", ", ".join(hardware["devices"] + hardware["gpus"]) or "none"),
        ("Nodes", ", ".join(hardware["nodes"]) or "this machine"),
    ]
    pairs += [(f"Environment {file}", digest) for file, digest in facts["environments"].items()]
    pairs += [
        (f"Input {name}", sums["input.h5ad"] or "missing") for name, sums in facts["inputs"].items()
    ]
    return pairs
