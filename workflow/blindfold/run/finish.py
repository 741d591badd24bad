"""Records of runs that a scheduler killed before they could write their own."""

from __future__ import annotations

from pathlib import Path

from blindfold.core.plan import Plan, PlannedRun, derive_seed
from blindfold.core.run_files import JOURNAL
from blindfold.run import checkpoint, record


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
        if (folder / JOURNAL).exists() and not (folder / "run.json").exists():
            record.write_record(folder, _killed(plan, run))
            checkpoint.discard(folder)
            written.append(folder / "run.json")
    return written


def _killed(plan: Plan, run: PlannedRun) -> dict[str, object]:
    method = plan.methods[run.method]
    fields = record.initial_record(
        dataset=run.dataset, method=run.method, k=run.k, repeat=run.seed, params=method.params,
        seed=derive_seed(plan.config.seed, run.dataset, run.method, run.seed),
        threads=method.card.resources.threads, code=method.code,
    )  # fmt: skip
    reason = "begun, but ended from outside before it left a record"
    return {**fields, "status": "killed", "reason": reason}
