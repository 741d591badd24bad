"""What decides the result of a run, and its hash: by it a finished run is found again."""

from __future__ import annotations

import hashlib
import json
from typing import Any

from blindfold.core.layout import BESIDE
from blindfold.run.request import ResolvedRequest


def decided_by(resolved: ResolvedRequest, environment: str, devices: int) -> dict[str, Any]:
    """
    Return all that decides a run's result, by name.

    Neither limits nor the supervisor's own code nor what is hidden from the method are in it.

    Parameters
    ----------
    resolved
        The run.
    environment
        Hash of the libraries installed for the method.
    devices
        Number of devices that it gets: what a device computes differs from what a CPU does.
    """
    known = resolved.initial_record
    return {
        "input": known["hashes"]["input"],
        "code": known["hashes"]["code"],
        "environment": environment,
        **{kind: resolved.facts.get(f"{kind}_sha256") for kind in BESIDE},
        "entry": resolved.card.entry,
        "params": known["params"],
        "n_clusters": resolved.n_clusters,
        "impute": resolved.impute,
        "threads": known["threads"],
        "snapshots": resolved.request.snapshots,
        "devices": devices,
    }


def key(decided: dict[str, Any]) -> str:
    """Return the hash of what `decided_by` returns."""
    return hashlib.sha256(json.dumps(decided, sort_keys=True).encode()).hexdigest()
