"""The place where a method may keep its state, so that a killed run goes on where it was.

It is no channel: a folder has the name of all that decides the result, only attempts at that very
run see it, folders of other names are removed first, and the supervisor never reads what is in it.
"""

from __future__ import annotations

import hashlib
import json
import shutil
from pathlib import Path

from blindfold.core.layout import BESIDE, checkpoints
from blindfold.run.request import Prepared


def key(prepared: Prepared) -> str:
    """Return a hash of all that decides a run's result, but for environment and device."""
    blank = prepared.blank()
    decides = {
        "hashes": blank["hashes"],
        **{kind: prepared.facts.get(f"{kind}_sha256") for kind in BESIDE},
        "params": blank["params"],
        "n_clusters": prepared.n_clusters,
        "impute": prepared.impute,
        "threads": blank["threads"],
        "snapshots": prepared.request.snapshots,
    }
    return hashlib.sha256(json.dumps(decides, sort_keys=True).encode()).hexdigest()


def place(prepared: Prepared) -> Path:
    """Return the run's own folder, made if need be; whatever another run left is gone."""
    folder = checkpoints(prepared.request.out.resolve()) / key(prepared)
    for other in folder.parent.glob("*"):
        if other != folder:
            shutil.rmtree(other, ignore_errors=True)
    folder.mkdir(parents=True, exist_ok=True)
    return folder


def discard(out: Path) -> None:
    """Remove what the attempts at a run kept: it has its record."""
    shutil.rmtree(checkpoints(out), ignore_errors=True)
