"""Join finished benchmarks into one table of the documentation: a CSV, and what it says in words.

A row is a run. Rows of earlier benchmarks stay, each with its commit, until a run replaces them.
"""

from __future__ import annotations

from io import StringIO
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from blindfold.compare.benchmark import KEY, Benchmark, read_benchmark
from blindfold.compare.bootstrap import generator, seed_interval
from blindfold.compare.tables.optimism import best_epochs
from blindfold.core import io
from blindfold.core.generated import fill_in, markdown_table
from blindfold.core.layout import Layout
from blindfold.core.methods import display_name

COLUMNS = [
    *KEY, "ari", "nmi", "n_clusters", "start_ari", "start_nmi", "best_epoch", "best_epoch_ari",
    "epochs", "fit_s", "peak_rss_mb", "status", "refined_ari", "refined_nmi", "commit", "date",
    "configuration",
]  # fmt: skip
_DIGITS = {"fit_s": 1, "peak_rss_mb": 0} | dict.fromkeys(
    ("ari", "nmi", "start_ari", "start_nmi", "best_epoch_ari", "refined_ari", "refined_nmi"), 4
)
_TYPES = {"n_clusters": "Int64", "best_epoch": "Int64", "epochs": "Int64", "fit_s": float,
          "peak_rss_mb": float}  # fmt: skip
_NUMBERS = [*_DIGITS, "n_clusters", "best_epoch", "epochs"]
_SHOWN: dict[str, tuple[Any, ...]] = {
          "nmi": ("NMI", 3), "refined_ari": ("refined ARI", 3), "refined_nmi": ("refined NMI", 3),
          "n_clusters": ("clusters", 1), "start_ari": ("start ARI", 3), "fit_s": ("fit, s", 1),
          "peak_rss_mb": ("MiB", 0), "gap": ("best epoch", 3, "+")}  # fmt: skip
BASELINES = ("smoothed_pca_kmeans", "pca_kmeans")
"""What a method is set beside: the first of them that the dataset was given to."""

MARGIN = 0.1


def publish(table: Path, results: list[Layout]) -> None:
    """Write the rows of finished benchmarks into a table, and its summary beside it.

    Parameters
    ----------
    table
        The CSV; what stands between the marks of the Markdown file of the same name is replaced.
    results
        The benchmarks; controls, and runs that do not apply or were killed, get no row.

    Raises
    ------
    BlindfoldError
        Where a benchmark is not finished, or the Markdown file has no marks.
    """
    rows = _as_text(table) if table.is_file() else pd.DataFrame(columns=COLUMNS)
    for each in results:
        rows = replaced(rows, benchmark_rows(read_benchmark(each), io.read_json(each.provenance)))
    document = table.with_suffix(".md")
    text = fill_in(document, {"summary": summary(rows)})
    io.write_csv(table, rows)
    io.write_text(document, text)


def benchmark_rows(benchmark: Benchmark, provenance: dict[str, Any]) -> pd.DataFrame:
    """Return one row per run of a finished benchmark."""
    runs = benchmark.runs[~benchmark.runs["status"].isin(["unavailable", "killed"])]
    runs = runs[~runs["method"].isin(benchmark.controls)]
    scores = benchmark.runs_with_scores().rename(
        columns={"ari_refined": "refined_ari", "nmi_refined": "refined_nmi"}
    )
    scores = scores.drop(columns=["status", "n_clusters"], errors="ignore")  # the runs have them
    table = runs.drop(columns="reason").merge(scores, on=KEY)
    table = table.merge(best_epochs(benchmark).drop(columns=["ari", "kept"]), on=KEY, how="left")
    git = provenance["repository"]
    commit = (git["commit"] or "unknown")[:10] + ("+" if git["dirty"] else "")
    table = table.assign(
        commit=commit, date=table["ended"].str[:10], configuration=benchmark.plan.config.name
    )
    table = table.reindex(columns=COLUMNS).astype(_TYPES).round(_DIGITS)
    return _as_text(StringIO(table.to_csv(index=False)))


def _as_text(file: Path | StringIO) -> pd.DataFrame:
    """Read rows as they are written, so that those that stay keep every character."""
    return pd.read_csv(file, dtype=str, keep_default_na=False)


def replaced(rows: pd.DataFrame, new: pd.DataFrame) -> pd.DataFrame:
    """Return the rows with those of the same runs replaced in their place, and the others added."""
    both = pd.concat([rows, new], ignore_index=True)
    names = both[KEY].agg("/".join, axis=1)
    order = names.map({name: place for place, name in enumerate(dict.fromkeys(names))})
    kept = both.assign(_order=order)[~names.duplicated(keep="last")]
    return kept.sort_values("_order", kind="stable")[COLUMNS].reset_index(drop=True)


def summary(rows: pd.DataFrame) -> str:
    """Return what the rows say: means by dataset, what fell behind, optimism, failures."""
    rows = rows.assign(name=list(map(display_name, rows["method"], rows["variant"])))
    rows[_NUMBERS] = rows[_NUMBERS].apply(pd.to_numeric)
    rows["gap"] = rows["best_epoch_ari"] - rows["ari"]
    parts = [_made_by(rows)]
    for dataset, part in rows.groupby("dataset", sort=False):
        parts += [f"## {dataset}", _dataset_table(part)]
    parts += [f"## More than {MARGIN} ARI below (smoothed) PCA + k-means", _behind(rows)]
    if rows["gap"].notna().any():
        parts += ["## What choosing the epoch by the labels would claim", _optimism(rows)]
    failed = rows[rows["status"] != "ok"]
    if len(failed):
        told = [f"- {r['name']}, seed {r['seed']}, on {r['dataset']}: {r['status']}"
                for r in failed.to_dict("records")]  # fmt: skip
        parts += ["## Without a result", "\n".join(told)]
    return "\n\n".join(parts)


def _made_by(rows: pd.DataFrame) -> str:
    """Say which configurations and commits the rows come from."""
    counts = rows.groupby(["configuration", "commit"], sort=False, dropna=False).size()
    told = [f"{n} at `{commit}` ({configuration})" for (configuration, commit), n in counts.items()]
    return f"Rows by commit and configuration: {'; '.join(told)}."


def _dataset_table(rows: pd.DataFrame) -> str:
    """Return one line per method and K, the given one first: means over seeds, the best first."""
    shown = {name: how for name, how in _SHOWN.items() if rows[name].notna().any()}
    header = ["method", "seeds", "ARI", *(title for title, *_ in shown.values())]
    ranked = []
    for (k, name), part in rows.groupby(["k", "name"], sort=True):
        means = [_mean(part[column], *how[1:]) for column, how in shown.items()]
        told = name if k == "truth" else f"{name}, K: {k}"
        line = [told, str(len(part)), _with_interval(part, "ari"), *means]
        ranked.append(((k != "truth", k, -part["ari"].fillna(-1).mean(), name), line))
    return markdown_table(header, [line for _, line in sorted(ranked)])


def _behind(rows: pd.DataFrame) -> str:
    """Return a line for each method whose mean ARI, K given, is far below the baseline's."""
    lines = []
    for dataset, part in rows[rows["k"] == "truth"].groupby("dataset", sort=False):
        means = part.groupby("name")["ari"].mean()
        base = next((float(means[name]) for name in BASELINES if name in means), np.nan)
        for name, mean in means[base - means > MARGIN].items():
            gap = f"{mean:.3f}, {base - mean:.3f} below {base:.3f}"
            lines.append(f"- {name} on {dataset}: {gap}")
    return "\n".join(lines) or "None."


def _optimism(rows: pd.DataFrame) -> str:
    """Return the last and the best epoch of each method, means over the datasets that have both."""
    lines = []
    for name, part in rows.dropna(subset="gap").groupby("name", sort=True):
        means = part.groupby("dataset")[["ari", "best_epoch_ari", "gap"]].mean()
        worst = part.loc[part["gap"].idxmax()]
        last, best, gap = means.mean()
        where = f"{worst['gap']:+.3f} on {worst['dataset']}"
        lines.append([name, str(len(means)), f"{last:.3f}", f"{best:.3f}", f"{gap:+.3f}", where])
    header = ["method", "datasets", "ARI, last epoch", "best epoch", "gap", "largest gap of a run"]
    return markdown_table(header, lines)


def _with_interval(part: pd.DataFrame, column: str) -> str:
    first = part.iloc[0]
    names = (first["dataset"], first["method"], first["variant"], column)
    low, high = seed_interval(part[column].to_numpy(float), generator(*names))
    return _mean(part[column], 3) + ("" if np.isnan(low) else f" [{low:.3f}, {high:.3f}]")


def _mean(values: pd.Series, digits: int, sign: str = "") -> str:
    mean = values.mean()
    return "-" if np.isnan(mean) else f"{mean:{sign}.{digits}f}"
