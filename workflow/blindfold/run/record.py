"""The record of a run, and the journal of its attempts."""

from __future__ import annotations

import json
import time
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, Literal

from pydantic import ConfigDict

from blindfold.core import io
from blindfold.core.strict import Strict

Status = Literal["ok", "invalid", "crash", "oom", "timeout", "killed", "unavailable"]
FIELDS_WITHOUT_RUN: dict[str, Any] = dict.fromkeys(
    ("wall_s", "cpu_s", "fit_s", "snapshot_s", "peak_rss_mb", "peak_gpu_mb", "device", "exit")
)
TRIES = 2
"""Attempts that a scheduler may kill before the run is recorded as killed."""


class Scheduler(Strict):
    """Who started the run."""

    name: str
    job_id: str | None
    node: str | None


class Hashes(Strict):
    """SHA-256 of what decided the result."""

    input: str | None
    code: str | None
    environment: str | None


class RunRecord(Strict):
    """``run.json``: one for every planned run."""

    model_config = ConfigDict(extra="forbid", frozen=True, allow_inf_nan=False)

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
    threads: int
    attempt: int
    scheduler: Scheduler
    exit: int | None
    log_tail: str
    lease: list[str]
    sandbox: str | None
    versions: dict[str, str]
    hashes: Hashes
    notes: dict[str, Any]
    started: str
    ended: str


def now() -> str:
    """Return the time in UTC, ISO 8601 with microseconds."""
    return datetime.now(UTC).isoformat()


def write_record(folder: Path, values: dict[str, Any]) -> RunRecord:
    """Check and write ``run.json``, the last file of a run."""
    record: RunRecord = io.validate(RunRecord, values, folder / "run.json")
    io.write_json(folder / "run.json", record.model_dump())
    return record


def journal(folder: Path, attempt: int, event: str, **facts: Any) -> None:
    """Append a line to the run's journal, which survives whatever the scheduler does."""
    folder.mkdir(parents=True, exist_ok=True)
    line = {"attempt": attempt, "event": event, "time": time.time(), **facts}
    with (folder / "attempts.jsonl").open("a") as handle:
        handle.write(json.dumps(line, default=str) + "\n")


def killed_attempts(folder: Path, attempt: int) -> int:
    """Return how many of the attempts just before this one began and never ended by themselves.

    A first attempt begins a new count: what an earlier workflow left behind is not held against it.
    """
    path = folder / "attempts.jsonl"
    if attempt <= 1 or not path.exists():
        return 0
    ended: dict[int, bool] = {}
    for line in path.read_text().splitlines():
        try:
            event = json.loads(line)
        except json.JSONDecodeError:
            continue
        if event["event"] == "start" and event["attempt"] == 1:
            ended.clear()
        ended[event["attempt"]] = event["event"] == "end"
    return sum(1 for number in range(1, attempt) if ended.get(number) is False)
