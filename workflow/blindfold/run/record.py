"""The record of a run, and the journal of its attempts."""

from __future__ import annotations

import json
import time
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, Literal

from pydantic import ConfigDict, Field

from blindfold.core import io
from blindfold.core.methods import split_variant
from blindfold.core.run_files import JOURNAL, KEPT, RECORD_SCHEMA, ask_again
from blindfold.core.strict import Strict
from blindfold.run.lease import scheduler

Status = Literal["ok", "invalid", "crash", "oom", "timeout", "killed", "unavailable"]
KILLED_ATTEMPTS = 2
"""Attempts that a scheduler may kill before the run is recorded as killed."""


class Scheduler(Strict):
    """Who started the run."""

    name: str
    job_id: str | None
    node: str | None


class Hashes(Strict):
    """SHA-256 of what decides the result."""

    input: str | None
    code: str | None
    environment: str | None


class RunRecord(Strict):
    """``run.json``: one for every planned run."""

    model_config = ConfigDict(extra="forbid", frozen=True, allow_inf_nan=False)

    form: int = Field(alias="schema", description="number of the form of this file")
    status: Status
    reason: str | None
    dataset: str
    method: str
    variant: str
    k: str
    seed: int
    params: dict[str, Any]
    n_clusters: int | None
    wall_s: float | None
    cpu_s: float | None
    fit_s: float | None
    snapshot_s: float | None
    peak_rss_mb: float | None
    peak_gpu_mb: float | None
    device: str | None
    gpu: dict[str, str | None] | None = Field(
        description="model, driver and CUDA version of the leased devices"
    )
    threads: int
    attempt: int
    scheduler: Scheduler
    exit: int | None
    log_tail: str
    lease: list[str]
    sandbox: str | None
    versions: dict[str, str]
    key: str | None = Field(description="hash of all that decides the result")
    decided_by: dict[str, Any] = Field(description="what the key is the hash of")
    reused_from: str | None = Field(None, description="the run of another benchmark that it is")
    hashes: Hashes
    outputs: dict[str, str] = Field(description="SHA-256 of every file of the run")
    notes: dict[str, Any]
    started: str
    ended: str


def initial_record(
    *, dataset: str, method: str, k: str, repeat: int, params: dict[str, Any], seed: int,
    threads: int, code: str, input_hash: str | None = None, n_clusters: int | None = None,
    attempt: int = 1,
) -> dict[str, Any]:  # fmt: skip
    """Return the fields of a record, but for its status, as they are before anything has run.

    Parameters
    ----------
    dataset, method, k, repeat
        Which run of the plan it is; ``method`` is a name or ``name@variant``.
    params, seed
        Parameters of the method, and the integer that it gets as its seed.
    threads, attempt
        Number of threads, and number of this attempt.
    code, input_hash
        Hashes of the method's code and of the input.
    n_clusters
        K as the method gets it.
    """
    name, variant = split_variant(method)
    costs = ("wall_s", "cpu_s", "fit_s", "snapshot_s", "peak_rss_mb", "peak_gpu_mb")
    return {
        "schema": RECORD_SCHEMA, "reason": None,
        "dataset": dataset, "method": name, "variant": variant, "k": k,
        "seed": repeat, "params": {**params, "seed": seed}, "n_clusters": n_clusters,
        **dict.fromkeys(costs), "device": None, "threads": threads, "attempt": attempt,
        "scheduler": scheduler(), "exit": None, "log_tail": "", "lease": [],
        "gpu": None, "sandbox": None,
        "versions": {}, "hashes": {"input": input_hash, "code": code, "environment": None},
        "key": None, "decided_by": {}, "outputs": {}, "notes": {}, "started": now(), "ended": now(),
    }  # fmt: skip


def now() -> str:
    """Return the time in UTC, ISO 8601 with microseconds."""
    return datetime.now(UTC).isoformat()


def write_record(folder: Path, values: dict[str, Any]) -> RunRecord:
    """Check and write ``run.json``, the last file of a run.

    A run that was killed is to be done again at the next start. Of one that need not be, a second
    copy is kept, because Snakemake removes ``run.json`` before every job that writes it.
    """
    record: RunRecord = io.validate(RunRecord, values, folder / "run.json")
    if record.status == "killed":
        ask_again(folder, record.reason or "")
    written = record.model_dump(by_alias=True)
    io.write_json(folder / KEPT, written)
    io.write_json(folder / "run.json", written)
    return record


def journal(folder: Path, attempt: int, event: str, **facts: Any) -> None:
    """Append a line to the run's journal, which survives whatever the scheduler does."""
    folder.mkdir(parents=True, exist_ok=True)
    line = {"attempt": attempt, "event": event, "time": time.time(), **facts}
    with (folder / JOURNAL).open("a") as handle:
        handle.write(json.dumps(line, default=str) + "\n")


def killed_attempts(folder: Path, attempt: int) -> int:
    """Return how many attempts before this one began and never ended by themselves.

    A first attempt starts a new count, whatever an earlier workflow left in the journal.
    """
    path = folder / JOURNAL
    if attempt <= 1 or not path.exists():
        return 0
    ended: dict[int, bool] = {}
    for line in path.read_text().splitlines():
        try:
            event = json.loads(line)
        except json.JSONDecodeError:
            continue
        if "attempt" not in event:
            continue
        if event["event"] == "start" and event["attempt"] == 1:
            ended.clear()
        ended[event["attempt"]] = event["event"] == "end"
    return sum(1 for number in range(1, attempt) if ended.get(number) is False)
