"""Where the numbers come from: versions, commit, configuration, hardware, checksums."""

from __future__ import annotations

import os
import platform
import subprocess
from collections.abc import Iterable
from importlib.metadata import distributions
from pathlib import Path
from typing import Any

from blindfold.core import io
from blindfold.core.layout import BESIDE, ENVIRONMENTS, REPOSITORY, Layout


def provenance(results: Layout) -> None:
    """Write ``provenance.json``.

    Parameters
    ----------
    results
        The benchmark's files.

    Raises
    ------
    BlindfoldError
        Where the plan is missing or a record is damaged.
    """
    plan = io.read_json(results.plan)
    records = [io.read_json(path) for path in sorted(results.root.glob("runs/*/*/*/*/run.json"))]
    datasets = sorted({run["dataset"] for run in plan["runs"]})
    io.write_json(
        results.provenance,
        {
            "configuration": plan["config"],
            "repository": git_state(REPOSITORY),
            "versions": {"python": platform.python_version(), "packages": installed_packages()},
            "environments": {
                path.name: io.sha256(path) for path in sorted(ENVIRONMENTS.glob("*.lock.txt"))
            },
            "hardware": {**hardware(), **hardware_of_runs(records)},
            "inputs": {dataset: checksums(results, dataset) for dataset in datasets},
            "runs": {"planned": len(plan["runs"]), "recorded": len(records)},
        },
    )


def git_state(folder: Path) -> dict[str, Any]:
    """Return commit and whether tracked files differ from it; nulls where git does not answer."""
    commit = _git(folder, "rev-parse", "HEAD")
    status = _git(folder, "status", "--porcelain", "--untracked-files=no")
    return {"commit": commit, "dirty": None if status is None else bool(status)}


def _git(folder: Path, *words: str) -> str | None:
    """Return what git answers, or None."""
    try:
        done = subprocess.run(
            ["git", "-C", str(folder), *words], capture_output=True, text=True, timeout=20
        )
    except (OSError, subprocess.TimeoutExpired):
        return None
    return done.stdout.strip() if done.returncode == 0 else None


def installed_packages() -> dict[str, str]:
    """Return the version of every installed package, by name."""
    versions = {item.metadata["Name"]: item.version for item in distributions()}
    return {name: versions[name] for name in sorted(filter(None, versions), key=str.lower)}


def hardware() -> dict[str, Any]:
    """Return processor model, cores and memory (GiB) of this machine."""
    import psutil

    return {
        "system": platform.platform(),
        "cpu": cpu_model(Path("/proc/cpuinfo")),
        "cores": os.cpu_count(),
        "memory_gb": round(psutil.virtual_memory().total / 2**30, 1),
    }


def cpu_model(path: Path) -> str:
    """Return the processor's name as Linux tells it, else the machine type."""
    try:
        lines = path.read_text().splitlines()
    except OSError:
        lines = []
    names = [line.split(":", 1)[1].strip() for line in lines if line.startswith("model name")]
    return names[0] if names else platform.processor() or platform.machine()


def hardware_of_runs(records: list[dict[str, Any]]) -> dict[str, Any]:
    """Return devices, leases, nodes and sandboxes that the run records name."""
    return {
        "devices": _seen(record.get("device") for record in records),
        "gpus": _seen(device for record in records for device in record.get("lease") or []),
        "nodes": _seen((record.get("scheduler") or {}).get("node") for record in records),
        "sandboxes": _seen(record.get("sandbox") for record in records),
    }


def _seen(values: Iterable[Any]) -> list[str]:
    """Return every value once."""
    return sorted({str(value) for value in values if value is not None})


def checksums(results: Layout, dataset: str) -> dict[str, Any]:
    """Return the chain of checksums from raw files to the blinded input."""
    card = io.read_json(results.card(dataset)) if results.card(dataset).is_file() else {}
    path = results.input(dataset)
    found = io.sha256(path) if path.is_file() else None
    return {
        "raw": card.get("raw_sha256"),
        "input.h5ad": found,
        **{name: card.get(f"{kind}_sha256") for kind, name in BESIDE.items()},
    }
