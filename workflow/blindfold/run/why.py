"""What would make a run be done again."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

from blindfold.core.errors import BlindfoldError
from blindfold.core.layout import Layout
from blindfold.core.plan import derive_seed, read_plan
from blindfold.core.run_files import changed_outputs, read_record
from blindfold.run.key import decided_by
from blindfold.run.request import Request, planned, resolve
from blindfold.run.walls import read_protection


def why(folder: Path) -> list[str]:
    """
    Compare a run's record with what would decide its result now.

    Parameters
    ----------
    folder
        ``RESULTS/runs/DATASET/METHOD/K/SEED``.

    Returns
    -------
    list of str
        A line for each reason to do the run again, or one that says that there is none.

    Raises
    ------
    BlindfoldError
        Where the folder is not that of a planned run.
    """
    if len(folder.parts) < 6 or folder.parts[-5] != "runs":
        raise BlindfoldError(
            "not the folder of a run", file=folder, expected="RESULTS/runs/DATASET/METHOD/K/SEED"
        )
    results = Layout(Path(*folder.parts[:-5]))
    dataset, method, k, seed = folder.parts[-4:]
    record = read_record(results, dataset, method, k, int(seed))
    told = [f"{method} on {dataset}, K {k}, seed {seed}: {record['status']}"]
    reasons = [*_reasons(folder, record, _now(results, folder))]
    return told + (reasons or ["nothing: all that decides its result is as it was"])


def _now(results: Layout, folder: Path) -> dict[str, Any]:
    """Return what would decide the run's result if it were done now."""
    dataset, method, k, seed = folder.parts[-4:]
    plan = read_plan(results.root)
    if method not in plan.methods or dataset not in plan.datasets:
        raise BlindfoldError(
            "no run of the plan", file=results.plan, found=f"{method} on {dataset}",
            expected=f"methods: {', '.join(plan.methods)}; datasets: {', '.join(plan.datasets)}",
        )  # fmt: skip
    derived = derive_seed(plan.config.seed, dataset, method, int(seed))
    request = Request(
        method=method, input=results.input(dataset), out=folder, seed=derived, clusters=k,
        repeat=int(seed), gpus=plan.methods[method].gpus(plan.config),
    )  # fmt: skip
    resolved = resolve(planned(request, results.plan))
    protection = read_protection(results.protection, resolved.card.environment)
    return decided_by(resolved, protection.environment, request.gpus)


def _reasons(folder: Path, record: dict[str, Any], now: dict[str, Any]) -> Iterator[str]:
    if record["status"] == "killed":
        yield f"it has not ended by itself: {record['reason']}"
    if record["status"] in ("oom", "timeout"):
        yield f"{record['reason']}: delete {folder} to try again, with other limits if need be"
    if changed := changed_outputs(folder, record):
        yield f"its files were changed after the run: {', '.join(changed)}"
    before = record.get("decided_by") or {}
    if not before and record["status"] not in ("killed", "unavailable"):
        form = record.get("schema", 1)
        yield f"its record (schema {form}) does not say what decided it: it would be done again"
    for name in sorted(before.keys() & now.keys()):
        yield from _differences(name, before[name], now[name])


def _differences(name: str, before: Any, now: Any) -> Iterator[str]:
    """Yield what differs, of mappings key by key, hashes shortened."""
    if isinstance(before, dict) and isinstance(now, dict):
        for key in sorted(before.keys() | now.keys()):
            yield from _differences(f"{name}.{key}", before.get(key), now.get(key))
    elif before != now:
        yield f"{name} changed: {str(before)[:12]} -> {str(now)[:12]}"
