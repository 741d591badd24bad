"""What a run left: its record, its clusters, and the clusters it had during training."""

from __future__ import annotations

import json
import time
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from blindfold.core import io
from blindfold.core.errors import BlindfoldError
from blindfold.core.layout import Layout

if TYPE_CHECKING:
    import pandas as pd


RECORD_SCHEMA = 3
"""Number of the form of ``run.json``. Those of form 1, which have no number, and of form 2, which
have no checksums of the outputs, are read too."""


_WITH_CHECKSUMS = 3

OUTPUTS = (
    "clusters.parquet", "embedding.npy", "imputed.h5ad", "snapshots.parquet", "trace.parquet",
)  # fmt: skip
"""What a run may have beside its record."""

JOURNAL = "attempts.jsonl"
"""What happened to a run, a line each: it outlives the record."""

KEPT = "kept.json"
"""The record once more, to be found by a job that is to do the run again."""

AGAIN = "again"


def read_record(results: Layout, dataset: str, method: str, k: str, seed: int) -> dict[str, Any]:
    """Read the record of one run; a planned run without one was killed before it could write."""
    path = results.record(dataset, method, k, seed)
    if not path.is_file():
        return {"status": "killed", "reason": "no record"}
    record: dict[str, Any] = io.read_json(path)
    if "status" not in record:
        raise BlindfoldError("a field is missing", file=path, field="status")
    if (found := record.get("schema", 1)) > RECORD_SCHEMA:
        raise BlindfoldError(
            f"{path}: written by a newer version (schema {found}, this one reads up to "
            f"{RECORD_SCHEMA}): update Blindfold"
        )
    return record


def verified_record(
    results: Layout, dataset: str, method: str, k: str, seed: int
) -> dict[str, Any]:
    """Read the record of one run after comparing its files with their checksums.

    Where a file was changed, lost or added after the run, the record becomes ``killed``, so that
    nothing is scored that the run did not give, and the next start does the run again.
    """
    record = read_record(results, dataset, method, k, seed)
    changed = changed_outputs(results.run(dataset, method, k, seed), record)
    if not changed:
        return record
    reason = f"outputs changed after the run: {', '.join(changed)}"
    record |= {"status": "killed", "reason": reason, "outputs": {}, "n_clusters": None}
    io.write_json(results.record(dataset, method, k, seed), record)
    ask_again(results.run(dataset, method, k, seed), reason)
    return record


def changed_outputs(folder: Path, record: dict[str, Any]) -> list[str]:
    """Return the files of a run that are not as its record says; those of old records have none."""
    if record["status"] != "ok" or record.get("schema", 1) < _WITH_CHECKSUMS:
        return []
    found = {name: io.sha256(folder / name) for name in OUTPUTS if (folder / name).is_file()}
    expected = record["outputs"]
    return [name for name in OUTPUTS if found.get(name) != expected.get(name)]


def ask_again(folder: Path, reason: str) -> None:
    """Note that a run is to be done again at the next start."""
    with (folder / JOURNAL).open("a") as handle:
        handle.write(json.dumps({"event": AGAIN, "time": time.time(), "reason": reason}) + "\n")


def times_asked_again(folder: Path) -> int:
    """Return how often a run was to be done again: a new number makes it due."""
    path = folder / JOURNAL
    return path.read_text().count(f'{{"event": "{AGAIN}"') if path.is_file() else 0


def read_partition(path: Path, cells: np.ndarray) -> tuple[np.ndarray, list[str]]:
    """Read the clusters of one run in the order of ``cells``: codes from 0, and their names.

    Raises
    ------
    BlindfoldError
        Where the table does not give every cell exactly one cluster: a partial answer is never
        scored as if complete.
    """
    return _partition(io.read_parquet(path, ["cell", "cluster"]), path, cells)


def read_snapshots(path: Path, cells: np.ndarray) -> dict[int, np.ndarray]:
    """Read the clusters kept during training, by epoch, as `read_partition`; none without a file.

    Epoch 0 is the partition that training began with.
    """
    if not path.is_file():
        return {}
    parts = io.read_parquet(path, ["epoch", "cell", "cluster"]).groupby("epoch", sort=True)
    return {int(epoch): _partition(part, path, cells)[0] for epoch, part in parts}


def _partition(table: pd.DataFrame, path: Path, cells: np.ndarray) -> tuple[np.ndarray, list[str]]:
    """Return codes in the order of ``cells``, and the clusters' names."""
    import pandas as pd

    names = table["cell"].astype(str)
    twice, lost = names[names.duplicated()], np.setdiff1d(cells, names)
    extra = np.setdiff1d(names, cells)
    for what, bad in (("twice", twice), ("missing", lost), ("unknown", extra)):
        if len(bad):
            raise BlindfoldError(
                "clusters must hold every cell once", file=path, field="cell",
                found=f"{len(bad)} cells {what}, such as {sorted(bad)[0]!r}",
                expected=f"the {len(cells)} cells of the input",
                remedy="delete the run's folder and run it again",
            )  # fmt: skip
    clusters = pd.Series(table["cluster"].to_numpy(), index=names).reindex(cells)
    if clusters.isna().any():
        raise BlindfoldError("a cell has no cluster", file=path, field="cluster")
    names_of, codes = np.unique(clusters.to_numpy(), return_inverse=True)
    return codes.astype(np.int64), [str(name) for name in names_of]
