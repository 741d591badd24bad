"""Checksums of everything a results folder says, to tell whether a change left it as it was.

python benchmarks/frozen.py record results/frozen before.json
python benchmarks/frozen.py compare before.json after.json

Recorded are clusters, snapshots, embeddings, imputed values and losses of every run, and every
score table without its costs: contents, not files, so that a library's new way to write a table
changes nothing. `configs/frozen.yaml` makes such a folder of every method and variant.
"""

from __future__ import annotations

import argparse
import hashlib
import json
import sys
from pathlib import Path

import numpy as np
import pandas as pd


def checksum(path: Path) -> str:
    """Return the SHA-256 of a file's content, as far as it may not change."""
    digest = hashlib.sha256()
    if path.suffix == ".parquet":
        table = pd.read_parquet(path)
        if "task" in table:
            table = table[table["task"] != "cost"].sort_values(list(table)).reset_index(drop=True)
        digest.update(table.to_csv(index=False, float_format="%.17g").encode())
    elif path.suffix == ".npy":
        array = np.load(path)
        digest.update(f"{array.shape} {array.dtype}".encode() + array.tobytes())
    elif path.suffix == ".h5ad":
        import anndata

        digest.update(np.asarray(anndata.read_h5ad(path).X).tobytes())
    else:
        record = json.loads(path.read_text())
        facts = [record[name] for name in ("status", "n_clusters", "notes")]
        facts[2] = {k: v for k, v in (facts[2] or {}).items() if k != "seconds_per_epoch"}
        digest.update(json.dumps(facts, sort_keys=True).encode())
    return digest.hexdigest()


def record(results: Path) -> dict[str, str]:
    """Return the checksums of a results folder, by the path within it.

    Parameters
    ----------
    results
        ``results/<benchmark>``, finished.

    Raises
    ------
    FileNotFoundError
        Where there is no run: to compare nothing with nothing would say that all is well.
    """
    runs = results.glob("runs/**/*")
    kinds = {"run.json", "clusters.parquet", "embedding.npy", "snapshots.parquet",
             "trace.parquet", "imputed.h5ad"}  # fmt: skip
    files = [path for path in runs if path.name in kinds]
    if not files:
        raise FileNotFoundError(f"{results}: holds no run; give the folder of a finished benchmark")
    files += results.glob("scores/**/*.parquet")
    return {str(path.relative_to(results)): checksum(path) for path in sorted(files)}


def differences(before: dict[str, str], after: dict[str, str]) -> list[str]:
    """Return a line for every file that is missing, new or changed."""
    told = [f"missing  {name}" for name in sorted(before.keys() - after.keys())]
    told += [f"new      {name}" for name in sorted(after.keys() - before.keys())]
    both = sorted(before.keys() & after.keys())
    return told + [f"changed  {name}" for name in both if before[name] != after[name]]


def main() -> int:
    """Record a folder, or compare two records; 1 where they differ."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else None)
    parser.add_argument("action", choices=["record", "compare"])
    parser.add_argument("first", type=Path, help="a results folder, or the record before")
    parser.add_argument("second", type=Path, help="where to write the record, or the one after")
    options = parser.parse_args()
    if options.action == "record":
        found = record(options.first)
        options.second.write_text(json.dumps(found, indent=1) + "\n")
        print(f"{len(found)} files recorded in {options.second}")
        return 0
    before, after = (json.loads(path.read_text()) for path in (options.first, options.second))
    told = differences(before, after)
    print("\n".join(told))
    print(f"{len(before)} files before, {len(after)} after, {len(told)} differences")
    return int(bool(told))


if __name__ == "__main__":
    sys.exit(main())
