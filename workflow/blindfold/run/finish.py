"""Turns runs that left no record into rows: a scheduler killed them before they could."""

from __future__ import annotations

from pathlib import Path

from blindfold.core.methods import split_variant
from blindfold.core.plan import Plan, PlannedRun, derive_seed
from blindfold.run import checkpoint, record
from blindfold.run.lease import scheduler


def finish(plan: Plan) -> list[Path]:
    """Write a ``killed`` record for every planned run that was begun and has none.

    Returns
    -------
    list of Path
        The records written.
    """
    written = []
    for run in plan.runs:
        folder = plan.layout.run(run.dataset, run.method, run.k, run.seed)
        if (folder / "attempts.jsonl").exists() and not (folder / "run.json").exists():
            record.write_record(folder, _killed(plan, run))
            checkpoint.discard(folder)
            written.append(folder / "run.json")
    return written


def _killed(plan: Plan, run: PlannedRun) -> dict[str, object]:
    method, variant = split_variant(run.method)
    planned = plan.methods[run.method]
    seed = derive_seed(plan.config.seed, run.dataset, run.method, run.seed)
    time = record.now()
    return {
        **record.FIELDS_WITHOUT_RUN,
        "status": "killed", "reason": "begun, but ended from outside before it left a record",
        "dataset": run.dataset, "method": method, "variant": variant, "k": run.k, "seed": run.seed,
        "params": {**planned.params, "seed": seed}, "n_clusters": None,
        "threads": planned.card.resources.threads, "attempt": 1, "scheduler": scheduler(),
        "log_tail": "", "lease": [], "sandbox": None, "versions": {}, "notes": {},
        "hashes": {"input": None, "code": planned.code, "environment": None},
        "started": time, "ended": time,
    }  # fmt: skip
