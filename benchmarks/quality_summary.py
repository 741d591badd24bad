"""The quality table in words: means, intervals, and what fell below the simplest baseline."""

from __future__ import annotations

from collections import defaultdict
from typing import Any, NamedTuple

import numpy as np

from blindfold.compare.bootstrap import generator, seed_interval

MARGIN = 0.1


class Table(NamedTuple):
    """What one table says above its rows, compares with and shows."""

    title: str
    columns: str  # what is to be said of them
    shown: tuple[str, ...]
    baseline: str
    baseline_name: str


def head(name: str, table: Table) -> str:
    """Return the text above a table."""
    return f"""# {table.title}

Blind scores of the last epoch, one parameter set per method, true number of clusters; one row a
run in [{name}.csv]({name}.csv), made by
`python benchmarks/quality.py --table docs/results/{name}.csv`.
Brackets hold the 95 % percentile bootstrap interval of the mean over seeds, and nothing where
there is one seed. Best epoch: what choosing the epoch by the labels would have claimed on top,
among 25 kept partitions. {table.columns}
Seconds on one thread beside other programs, by up to a factor of ten above those of an idle
machine: [performance.md](../performance.md) has the cost.
"""


SMOOTHED = ("smoothed_pca_kmeans", "smoothed PCA + k-means")
TABLES = {
    "scrna": Table(
        "Single cells",
        "Of scGNN they are its rounds. Start: the partition\nthat the method began with "
        "(scTAG: spectral classes of its neighbour graph).",
        ("method", "seeds", "ARI", "NMI", "clusters", "start ARI", "best epoch", "fit, s", "MiB"),
        "pca_kmeans",
        "PCA + k-means",
    ),
    "tissues": Table(
        "Tissues",
        "Refined: after a majority vote among the\n18 nearest spots, the same for every method.",
        ("method", "seeds", "ARI", "NMI", "refined ARI", "refined NMI", "clusters", "best epoch",
         "fit, s", "MiB"),
        *SMOOTHED,
    ),
    "reproduction": Table(
        "As the authors' code does it",
        "Rows of @authors:\nwhat their code gave, blind, at its last epoch, on the same spots.",
        ("method", "seeds", "ARI", "NMI", "clusters", "best epoch",
         "fit, s", "MiB"),
        *SMOOTHED,
    ),
}  # fmt: skip

Row = dict[str, Any]
Rows = dict[tuple[str, str], list[Row]]


def summary(name: str, rows: list[Row]) -> str:
    """Return the summary of a table's rows as Markdown."""
    table = TABLES[name]
    by_dataset: dict[str, Rows] = defaultdict(lambda: defaultdict(list))
    for row in rows:
        by_dataset[row["dataset"]][row["method"], row["variant"]].append(row)
    parts = [head(name, table)]
    for dataset, methods in by_dataset.items():
        parts += [f"## {dataset}\n", _line(table.shown), _line("---" for _ in table.shown)]
        for _, found in sorted(methods.items()):
            cells = _cells(found)
            parts.append(_line(cells[column] for column in table.shown))
        parts.append("")
    cases = [
        case for dataset, methods in by_dataset.items() for case in below(table, dataset, methods)
    ]
    parts += [f"## More than {MARGIN} ARI below {table.baseline_name}\n", *(cases or ["None."])]
    parts += ["\n## What choosing the epoch by the labels would claim\n", *optimism(rows)]
    failed = [row for row in rows if row["status"] != "ok"]
    if failed:
        parts += ["\n## Without a result\n", *(f"- {_name(r)}: {r['status']}" for r in failed)]
    return "\n".join(parts) + "\n"


def below(table: Table, dataset: str, methods: Rows) -> list[str]:
    """Return a line for each method whose mean ARI is far below the baseline's."""
    standard = numbers(methods.get((table.baseline, "described"), []), "ari")
    base = float(np.mean(standard or [np.nan]))
    lines = []
    for (method, variant), rows in sorted(methods.items()):
        mean = float(np.mean(numbers(rows, "ari") or [np.nan]))
        if base - mean > MARGIN:
            name = f"{method}, {variant}, on {dataset}"
            lines.append(f"- {name}: {mean:.3f}, {base - mean:.3f} below {base:.3f}")
    return lines


def optimism(rows: list[Row]) -> list[str]:
    """Return a table of the last and the best epoch, means over the datasets that have both."""
    by_method: Rows = defaultdict(list)
    for row in rows:
        if row["best_epoch_ari"]:
            by_method[row["method"], row["variant"]].append(row)
    columns = ("method", "datasets", "ARI, last epoch", "best epoch", "gap", "largest gap of a run")
    lines = [_line(columns), _line("---" for _ in columns)]
    for _, found in sorted(by_method.items()):
        names = sorted({row["dataset"] for row in found})
        each = [[row for row in found if row["dataset"] == name] for name in names]
        last, best = (
            float(np.mean([np.mean(numbers(part, column)) for part in each]))
            for column in ("ari", "best_epoch_ari")
        )
        worst = max(found, key=_gap)
        told = (f"{last:.3f}", f"{best:.3f}", f"{best - last:+.3f}")
        where = f"{_gap(worst):+.3f} on {worst['dataset']}"
        lines.append(_line((_label(found[0]), str(len(names)), *told, where)))
    return lines


def numbers(rows: list[Row], column: str) -> list[float]:
    """Return the values of a column that are there."""
    return [float(row[column]) for row in rows if row[column] not in ("", None)]


def _cells(rows: list[Row]) -> dict[str, str]:
    """Return the cells of one line by column: means over the seeds of one method and variant."""
    gaps = [_gap(row) for row in rows if row["best_epoch_ari"]]
    return {
        "method": _label(rows[0]),
        "seeds": str(len(rows)),
        "ARI": _interval(rows, "ari"),
        "NMI": _interval(rows, "nmi"),
        "refined ARI": _mean(numbers(rows, "refined_ari"), 3),
        "refined NMI": _mean(numbers(rows, "refined_nmi"), 3),
        "clusters": _mean(numbers(rows, "n_clusters"), 1),
        "start ARI": _mean(numbers(rows, "start_ari"), 3),
        "best epoch": _mean(gaps, 3, "+"),
        "fit, s": _mean(numbers(rows, "fit_s"), 1),
        "MiB": _mean(numbers(rows, "peak_rss_mb"), 0),
    }


def _gap(row: Row) -> float:
    return float(row["best_epoch_ari"]) - float(row["ari"])


def _label(row: Row) -> str:
    return str(row["method"]) + ("" if row["variant"] == "described" else f"@{row['variant']}")


def _interval(rows: list[Row], column: str) -> str:
    values = numbers(rows, column)
    names = (rows[0]["dataset"], rows[0]["method"], rows[0]["variant"], column)
    low, high = seed_interval(np.array(values), generator(*names))
    return _mean(values, 3) + ("" if np.isnan(low) else f" [{low:.3f}, {high:.3f}]")


def _mean(values: list[float], digits: int, sign: str = "") -> str:
    return f"{np.mean(values):{sign}.{digits}f}" if values else "-"


def _name(row: Row) -> str:
    return f"{row['method']}, {row['variant']}, seed {row['seed']}, on {row['dataset']}"


def _line(cells: Any) -> str:
    return "| " + " | ".join(cells) + " |"
