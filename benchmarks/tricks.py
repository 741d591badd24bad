"""What each trick gains over its plain formula: whole epochs, and memory.

python benchmarks/tricks.py                      (all tricks of benchmarks/plain.py)
python benchmarks/tricks.py "zinb gradient"      (some)

Processor seconds of an epoch on one thread, the least of the repeats, so that other work on the
machine matters little. Rows of benchmarks/tricks.csv that are not measured again stay: those of
tricks that are gone name the commit that still had them.
"""

from __future__ import annotations

import argparse
import itertools
import subprocess
import sys
from pathlib import Path
from typing import Any

import pandas as pd

REPOSITORY = Path(__file__).resolve().parents[1]
sys.path[:0] = [str(REPOSITORY), str(REPOSITORY / "workflow")]

from benchmarks.measure import in_child  # noqa: E402
from benchmarks.methods import least  # noqa: E402
from benchmarks.plain import PLAIN  # noqa: E402
from blindfold.core.methods import method_card, method_folder, split_variant  # noqa: E402

TABLE = Path(__file__).with_name("tricks.csv")
KEY = ["trick", "method", "phase", "cells"]


def measured(method: str, cells: int, epochs: int, repeats: int, without: str | None) -> Any:
    """Measure a method, its clustering at the end kept short; the least seconds of the repeats."""
    name = split_variant(method)[0]
    known = method_card(method_folder(name, ["methods"])).parameters
    short = {"kmeans_starts": 1} if "kmeans_starts" in known else {}
    asked: dict[str, Any] = {"epochs": epochs, "threads": 1, "given": short, "without": without}
    rows = [in_child(method, cells, image=name == "multist", **asked) for _ in range(repeats)]
    return least(rows)


def row_of(trick: str, phase: str, base: dict[str, Any], plain: dict[str, Any]) -> dict[str, Any]:
    """Set one phase of a method beside the same without the trick."""
    seconds = [row["cpu_phases"][phase] for row in (base, plain)]
    variant = "" if base["variant"] == "described" else f"@{base['variant']}"
    return {
        "trick": trick,
        "where": PLAIN[trick].where,
        "plain": PLAIN[trick].formula,
        "method": base["method"] + variant,
        "phase": phase,
        "cells": base["cells"],
        "epoch_s": round(seconds[0], 5),
        "plain_epoch_s": round(seconds[1], 5),
        "gain": round(seconds[1] / seconds[0], 3),
        "peak_mb": round(base["peak_mb"]),
        "plain_peak_mb": round(plain["peak_mb"]),
        "commit": commit(),
    }


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
    parser.add_argument("--methods", nargs="+", help="only these of those that use tricks")
    parser.add_argument("--cells", nargs="+", type=int, default=[2500, 5000, 10_000, 20_000])
    parser.add_argument("--epochs", type=int, default=4)
    parser.add_argument("--repeats", type=int, default=1)
    options = parser.parse_args()
    used = dict.fromkeys(m for trick in options.tricks for m in PLAIN[trick].methods)
    for method, cells in itertools.product(options.methods or used, options.cells):
        here = [trick for trick in options.tricks if method in PLAIN[trick].methods]
        sizes = (method, cells, options.epochs, options.repeats)
        base = measured(*sizes, None)
        for trick in here:
            plain = measured(*sizes, trick)
            rows = [row_of(trick, phase, base, plain) for phase in base["cpu_phases"]]
            keep(rows)
            for row in rows:
                print(*(row[name] for name in [*KEY, "gain", "peak_mb", "plain_peak_mb"]),
                      flush=True)  # fmt: skip


if __name__ == "__main__":
    main()
