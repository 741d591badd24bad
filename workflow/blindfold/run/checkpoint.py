"""The folder in which a method may keep its state, so that a killed run goes on where it was.

It cannot carry information to another run: its name is a hash of all that decides the result, so
that only attempts at the same run see it; folders of other names are removed first, and the
supervisor never reads what is in it.
"""

from __future__ import annotations

import hashlib
import json
import shutil
from pathlib import Path

from blindfold.core.layout import BESIDE, checkpoints
from blindfold.run.request import ResolvedRequest


def key(resolved: ResolvedRequest) -> str:
    """Return a hash of all that decides a run's result, except for environment and device."""
    known = resolved.initial_record
    deciding = {
        "hashes": known["hashes"],
        **{kind: resolved.facts.get(f"{kind}_sha256") for kind in BESIDE},
        "params": known["params"],
        "n_clusters": resolved.n_clusters,
        "impute": resolved.impute,
        "threads": known["threads"],
        "snapshots": resolved.request.snapshots,
    }
    return hashlib.sha256(json.dumps(deciding, sort_keys=True).encode()).hexdigest()


def own_folder(resolved: ResolvedRequest) -> Path:
    """Return the run's own folder, made if need be, after removing those of other runs."""
    folder = checkpoints(resolved.request.out.resolve()) / key(resolved)
    for other in folder.parent.glob("*"):
        if other != folder:
            shutil.rmtree(other, ignore_errors=True)
    folder.mkdir(parents=True, exist_ok=True)
    return folder


def discard(out: Path) -> None:
    """Remove the checkpoints of a run that has its record."""
    shutil.rmtree(checkpoints(out), ignore_errors=True)
