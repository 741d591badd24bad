"""The quality table in words: means, intervals, and what fell below the simplest baseline."""

from __future__ import annotations

from collections import defaultdict
from typing import Any

import numpy as np

from blindfold.compare.bootstrap import generator, seed_interval

BASELINE = "pca_kmeans"
MARGIN = 0.1
HEAD = """# Single cells

Blind scores of the last epoch, one parameter set per method, true number of clusters; one row a
run in [scrna.csv](scrna.csv), made by `python benchmarks/quality.py`. Brackets hold the 95 %
percentile bootstrap interval of the mean over seeds, and nothing where there is one seed. Start:
the partition that the method began with (scTAG: spectral classes of its neighbour graph). Best
epoch: what choosing the epoch by the labels would have claimed on top, among 25 kept partitions
(scGNN: its rounds). Seconds on one thread beside other programs, by up to a factor of ten above
those of an idle machine: [performance.md](../performance.md) has the cost.
"""
COLUMNS = ("method", "seeds", "ARI", "NMI", "clusters", "start ARI", "best epoch", "fit, s", "MiB")

Row = dict[str, Any]
Rows = dict[tuple[str, str], list[Row]]


def summary(rows: list[Row]) -> str:
    """Return the summary of the table's rows as Markdown."""
    by_dataset: dict[str, Rows] = defaultdict(lambda: defaultdict(list))
    for row in rows:
        by_dataset[row["dataset"]][row["method"], row["variant"]].append(row)
    parts = [HEAD]
    for dataset, methods in by_dataset.items():
        parts += [f"## {dataset}\n", _line(COLUMNS), _line("---" for _ in COLUMNS)]
        parts += [_line(_cells(found)) for _, found in sorted(methods.items())]
        parts.append("")
    found = [case for dataset, methods in by_dataset.items() for case in below(dataset, methods)]
    parts += [f"## More than {MARGIN} ARI below PCA + k-means\n", *(found or ["None."])]
    failed = [row for row in rows if row["status"] != "ok"]
    if failed:
        parts += ["\n## Without a result\n", *(f"- {_name(r)}: {r['status']}" for r in failed)]
    return "\n".join(parts) + "\n"


def below(dataset: str, methods: Rows) -> list[str]:
    """Return a line for each method whose mean ARI is far below the baseline's."""
    base = float(np.mean(numbers(methods.get((BASELINE, "described"), []), "ari") or [np.nan]))
    lines = []
    for (method, variant), rows in sorted(methods.items()):
        mean = float(np.mean(numbers(rows, "ari") or [np.nan]))
        if base - mean > MARGIN:
            name = f"{method}, {variant}, on {dataset}"
            lines.append(f"- {name}: {mean:.3f}, {base - mean:.3f} below {base:.3f}")
    return lines


def numbers(rows: list[Row], column: str) -> list[float]:
    """Return the values of a column that are there."""
    return [float(row[column]) for row in rows if row[column] not in ("", None)]


def _cells(rows: list[Row]) -> list[str]:
    """Return the cells of one line: means over the seeds of one method and variant."""
    first = rows[0]
    name = first["method"] + ("" if first["variant"] == "described" else f"@{first['variant']}")
    gaps = [
        float(row["best_epoch_ari"]) - float(row["ari"]) for row in rows if row["best_epoch_ari"]
    ]
    return [
        name,
        str(len(rows)),
        _interval(rows, "ari"),
        _interval(rows, "nmi"),
        _mean(numbers(rows, "n_clusters"), 1),
        _mean(numbers(rows, "start_ari"), 3),
        _mean(gaps, 3, "+"),
        _mean(numbers(rows, "fit_s"), 1),
        _mean(numbers(rows, "peak_rss_mb"), 0),
    ]


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
