"""The supervisor: one method, one dataset, one seed, one record, whatever happens."""

from __future__ import annotations

import os
import shutil
import signal
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from blindfold.core.available import packaged
from blindfold.core.datasets import dataset_card, find_datasets
from blindfold.core.layout import REPOSITORY
from blindfold.core.log import log
from blindfold.run import checkpoint, child, record, validate
from blindfold.run.lease import lease, scheduler
from blindfold.run.process import Outcome, supervise
from blindfold.run.request import Request, ResolvedRequest, resolve, why_unavailable
from blindfold.run.sandbox import protection

OUTPUTS = (
    "clusters.parquet", "embedding.npy", "imputed.h5ad", "snapshots.parquet", "trace.parquet",
)  # fmt: skip
"""What a method may leave beside its record."""


def run(request: Request) -> int:
    """Run a method and write its record.

    Returns
    -------
    int
        0 whatever the method did; 75 where it ran out of memory and a later attempt may have more;
        143 or 130 where a scheduler or a person ended it.

    Raises
    ------
    BlindfoldError
        Where the request itself is wrong: method, input, K.
    """
    resolved = resolve(request)
    out = request.out
    (out / "run.json").unlink(missing_ok=True)
    killed = record.killed_attempts(out, request.attempt)
    record.journal(out, request.attempt, "start", **scheduler())
    reason = why_unavailable(resolved)
    if reason:
        values = {**resolved.initial_record, "status": "unavailable", "reason": reason}
    elif killed >= record.KILLED_ATTEMPTS:
        reason = f"the scheduler ended {killed} attempts; see attempts.jsonl"
        values = {**resolved.initial_record, "status": "killed", "reason": reason}
    else:
        with _signals() as signals:
            values = _attempt(resolved, signals)
        if values["status"] == "killed":
            record.journal(out, request.attempt, "killed", signal=signals[0])
            return 128 + signals[0]
        if values["status"] == "oom" and request.attempt < request.last_attempt:
            record.journal(out, request.attempt, "end", status="oom")
            log.warning("out of memory in attempt %d: asking for another", request.attempt)
            return os.EX_TEMPFAIL
    done = record.write_record(out, values)
    checkpoint.discard(out)
    record.journal(out, request.attempt, "end", status=done.status)
    log.info("%s on %s, seed %d: %s%s", request.method, done.dataset, done.seed, done.status,
             f" ({done.reason})" if done.reason else "")  # fmt: skip
    return 0


def _attempt(resolved: ResolvedRequest, signals: list[int]) -> dict[str, Any]:
    """Run the child once; return the values of the record."""
    request = resolved.request
    with lease(request.gpus, lambda: bool(signals)) as (devices, fds):
        values = {**resolved.initial_record, "lease": devices}
        if len(devices) < request.gpus and not request.allow_cpu and not signals:
            reason = f"{request.gpus} GPUs asked for, fewer on this machine"
            return {**values, "status": "unavailable", "reason": reason}
        sandbox = protection(request.sandbox)
        values |= {"sandbox": sandbox, "started": record.now()}
        with _working_folder(request.out) as work, child.pipe() as (reader, writer):
            tripwire = writer.fileno() if sandbox != "none" else None
            hidden, state = protected_paths(request), checkpoint.own_folder(resolved)
            job = child.write_job(resolved, work, devices, hidden, tripwire, state)
            outcome = supervise(
                child.command(resolved, job, work, sandbox, hidden, state, gpus=bool(devices)),
                env=child.environment(resolved.card, work, devices),
                cwd=work / "cwd",
                log=work / "log.txt",
                fds=[*fds, writer.fileno()],
                limit_s=request.minutes * 60,
                limit_mb=request.memory_gb * 1024,
                stopped=lambda: bool(signals),
            )
            values["ended"] = record.now()
            writer.close()
            opened = reader.read().decode(errors="replace").splitlines()
            values |= _outcome_fields(resolved, outcome, work / "output", opened)
            values["log_tail"] = child.log_tail(work / "log.txt")
            _move_outputs(work, request.out, ok=values["status"] == "ok")
    return values


def _outcome_fields(
    resolved: ResolvedRequest, outcome: Outcome, output: Path, opened: list[str]
) -> dict[str, Any]:
    """Return status, reason and costs of a child that has ended."""
    request = resolved.request
    report = child.read_report(output)
    peak_mb = max(outcome.peak_rss_mb, report.get("peak_rss_mb") or 0.0)
    earlier = report.get("earlier", {"wall_s": 0.0, "cpu_s": 0.0})
    reported = ("device", "fit_s", "snapshot_s", "peak_gpu_mb")
    values: dict[str, Any] = {
        **{name: report.get(name) for name in reported},
        "exit": outcome.exit, "wall_s": outcome.wall_s + earlier["wall_s"],
        "cpu_s": outcome.cpu_s + earlier["cpu_s"], "peak_rss_mb": peak_mb,
        "versions": report.get("versions", {}), "notes": report.get("notes", {}),
        "hashes": {**resolved.initial_record["hashes"], "environment": report.get("environment")},
    }  # fmt: skip
    if opened:
        status, reason = "invalid", f"opened {opened[0]}"
    elif outcome.ended == "stopped":
        status, reason = "killed", "ended from outside"
    elif outcome.ended == "timeout":
        status, reason = "timeout", f"ran longer than {request.minutes:g} minutes"
    elif outcome.ended == "oom":
        status, reason = "oom", f"used more than {request.memory_gb:g} GiB"
    elif outcome.exit != 0 or "failure" in report:
        status, reason = _failure(outcome, report)
    else:
        genes = resolved.facts["genes"] if resolved.impute else None
        problem = validate.problem_with(output, resolved.cells, genes)
        status, reason = ("invalid", problem) if problem else ("ok", "")
    if status == "ok":
        values["n_clusters"] = validate.count_clusters(output)
    return {**values, "status": status, "reason": reason or None}


def _failure(outcome: Outcome, report: dict[str, Any]) -> tuple[str, str]:
    """Return status and reason of a child that failed by itself."""
    if "failure" in report:
        return report["failure"], report["reason"]
    if outcome.exit in (-signal.SIGKILL, 128 + signal.SIGKILL):
        return "oom", "killed by the system (signal 9), most likely for memory"
    if outcome.exit < 0:
        return "crash", f"ended by signal {signal.Signals(-outcome.exit).name}"
    return "crash", f"ended with exit status {outcome.exit} and no report"


def protected_paths(request: Request) -> list[Path]:
    """Return what a method must not open: every result, and the raw data wherever they lie."""
    hide = _raw_data_of_all_cards() if request.hide is None else request.hide
    roots = [REPOSITORY / "results", *(REPOSITORY / path for path in hide)]
    parents = request.input.resolve().parents
    if len(parents) > 2 and (parents[2] / "vault").is_dir():
        roots.append(parents[2])
    return [path for path in dict.fromkeys(roots) if path.exists()]


def _raw_data_of_all_cards() -> list[Path]:
    """Return where raw data of any card may lie: the default cache, and installed packages."""
    files = [file for name in find_datasets() for file in dataset_card(name).files]
    return [Path("data"), *(path for file in files if (path := packaged(file)) is not None)]


@contextmanager
def _working_folder(out: Path) -> Iterator[Path]:
    """Yield a fresh folder for the child beside its output, and remove it afterwards."""
    work = out.resolve() / ".work"
    shutil.rmtree(work, ignore_errors=True)
    try:
        for name in ("cwd", "output", "home", "tmp"):
            (work / name).mkdir(parents=True)
        yield work
    finally:
        shutil.rmtree(work, ignore_errors=True)


def _move_outputs(work: Path, out: Path, ok: bool) -> None:
    """Move the log out of the working folder, and the results where the run is whole."""
    for name in OUTPUTS:
        (out / name).unlink(missing_ok=True)
        if ok and (work / "output" / name).is_file():
            os.replace(work / "output" / name, out / name)
    os.replace(work / "log.txt", out / "log.txt")


@contextmanager
def _signals() -> Iterator[list[int]]:
    """Collect SIGTERM and SIGINT instead of dying from them."""
    seen: list[int] = []
    old = {
        number: signal.signal(number, lambda caught, _: seen.append(caught))
        for number in (signal.SIGTERM, signal.SIGINT)
    }
    try:
        yield seen
    finally:
        for number, handler in old.items():
            signal.signal(number, handler)
        sys.stderr.flush()
