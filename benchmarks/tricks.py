"""What each trick gains over its plain formula: whole epochs, and memory.

python benchmarks/tricks.py                      (all tricks of benchmarks/plain.py)
python benchmarks/tricks.py "zinb gradient"      (some)

Processor seconds of an epoch on one thread, the least of the repeats, so that other work on the
machine matters little. Rows of benchmarks/tricks.csv that are not measured again stay: those of
tricks that are gone name the commit that still had them.
"""

from __future__ import annotations

import argparse
import subprocess
import sys
from pathlib import Path
from typing import Any

import pandas as pd

REPOSITORY = Path(__file__).resolve().parents[1]
sys.path[:0] = [str(REPOSITORY), str(REPOSITORY / "workflow")]

from benchmarks.measure import in_child  # noqa: E402
from benchmarks.plain import PLAIN  # noqa: E402

TABLE = Path(__file__).with_name("tricks.csv")
KEY = ["trick", "method", "phase", "cells"]


def rows_of(trick: str, method: str, cells: int, epochs: int, repeats: int) -> list[dict[str, Any]]:
    """Measure one method of one size with a trick and without it, in turn; a row a phase."""
    asked: dict[str, Any] = {"epochs": epochs, "threads": 1, "image": method.startswith("multist")}
    pairs = [
        (in_child(method, cells, **asked), in_child(method, cells, **asked, without=trick))
        for _ in range(repeats)
    ]
    rows = []
    for phase in pairs[0][0]["cpu_phases"]:
        seconds = [min(pair[i]["cpu_phases"][phase] for pair in pairs) for i in (0, 1)]
        peaks = [max(pair[i]["peak_mb"] for pair in pairs) for i in (0, 1)]
        rows.append(
            {
                "trick": trick,
                "where": PLAIN[trick].where,
                "plain": PLAIN[trick].formula,
                "method": method,
                "phase": phase,
                "cells": cells,
                "epoch_s": round(seconds[0], 5),
                "plain_epoch_s": round(seconds[1], 5),
                "gain": round(seconds[1] / seconds[0], 3),
                "peak_mb": round(peaks[0]),
                "plain_peak_mb": round(peaks[1]),
                "commit": commit(),
            }
        )
    return rows


def commit() -> str:
    """Return the commit that is measured."""
    asked = ["git", "-C", str(REPOSITORY), "rev-parse", "--short", "HEAD"]
    return subprocess.run(asked, capture_output=True, text=True, check=True).stdout.strip()


def keep(found: list[dict[str, Any]], table: Path = TABLE) -> pd.DataFrame:
    """Put measured rows in place of older ones of the same key, and write the table."""
    new = pd.DataFrame(found)
    old = pd.read_csv(table) if table.is_file() else new.iloc[:0]
    known = pd.MultiIndex.from_frame(new[KEY])
    old = old[~pd.MultiIndex.from_frame(old[KEY]).isin(known)]
    parts = [part for part in (old, new) if len(part)]
    whole = pd.concat(parts).sort_values(KEY, ignore_index=True)
    whole.to_csv(table, index=False)
    return whole


def main() -> None:
    """Measure the tricks asked for and write their rows."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else None)
    parser.add_argument("tricks", nargs="*", default=list(PLAIN), help="names; all unless given")
    parser.add_argument("--methods", nargs="+", help="only these of those that use a trick")
    parser.add_argument("--cells", nargs="+", type=int, default=[2500, 5000, 10_000, 20_000])
    parser.add_argument("--epochs", type=int, default=4)
    parser.add_argument("--repeats", type=int, default=1)
    options = parser.parse_args()
    for trick in options.tricks:
        for method in options.methods or PLAIN[trick].methods:
            for cells in options.cells:
                rows = rows_of(trick, method, cells, options.epochs, options.repeats)
                keep(rows)
                for row in rows:
                    print(*(row[name] for name in [*KEY, "gain", "peak_mb", "plain_peak_mb"]),
                          flush=True)  # fmt: skip


if __name__ == "__main__":
    main()
