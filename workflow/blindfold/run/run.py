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
from blindfold.run.request import Prepared, Request, resolve, unavailable
from blindfold.run.sandbox import protection


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
    prepared = resolve(request)
    out = request.out
    (out / "run.json").unlink(missing_ok=True)
    killed = record.killed_attempts(out, request.attempt)
    record.journal(out, request.attempt, "start", **scheduler())
    reason = unavailable(prepared)
    if reason:
        values = {**prepared.blank(), "status": "unavailable", "reason": reason}
    elif killed >= record.TRIES:
        reason = f"the scheduler ended {killed} attempts; see attempts.jsonl"
        values = {**prepared.blank(), "status": "killed", "reason": reason}
    else:
        with _signals() as signals:
            values = _attempt(prepared, signals)
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


def _attempt(prepared: Prepared, signals: list[int]) -> dict[str, Any]:
    """Run the child once; return the values of the record."""
    request = prepared.request
    with lease(request.gpus, lambda: bool(signals)) as (devices, fds):
        values = {**prepared.blank(), "lease": devices}
        if len(devices) < request.gpus and not request.allow_cpu and not signals:
            reason = f"{request.gpus} GPUs asked for, fewer on this machine"
            return {**values, "status": "unavailable", "reason": reason}
        guard = protection(request.sandbox)
        values |= {"sandbox": guard, "started": record.now()}
        with _workplace(request.out) as work, child.pipe() as (reader, writer):
            tripwire = writer.fileno() if guard != "none" else None
            covered = protected(request)
            kept = checkpoint.place(prepared)
            job = child.write_job(prepared, work, devices, covered, tripwire, kept)
            outcome = supervise(
                child.command(prepared, job, work, guard, covered, kept, gpus=bool(devices)),
                env=child.environment(prepared.card, work, devices),
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
            values |= _judge(prepared, outcome, work / "output", opened)
            values["log_tail"] = child.log_tail(work / "log.txt")
            _keep(work, request.out, ok=values["status"] == "ok")
    return values


def _judge(prepared: Prepared, outcome: Outcome, output: Path, opened: list[str]) -> dict[str, Any]:
    """Return status, reason and costs of an ended child."""
    request = prepared.request
    report = child.read_report(output)
    peak_mb = max(outcome.peak_rss_mb, report.get("peak_rss_mb") or 0.0)
    earlier = report.get("earlier", {"wall_s": 0.0, "cpu_s": 0.0})
    values: dict[str, Any] = {
        "exit": outcome.exit, "wall_s": outcome.wall_s + earlier["wall_s"],
        "cpu_s": outcome.cpu_s + earlier["cpu_s"],
        "peak_rss_mb": peak_mb, "versions": report.get("versions", {}),
        "device": report.get("device"), "fit_s": report.get("fit_s"),
        "snapshot_s": report.get("snapshot_s"), "peak_gpu_mb": report.get("peak_gpu_mb"),
        "notes": report.get("notes", {}),
        "hashes": {**prepared.blank()["hashes"], "environment": report.get("environment")},
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
        genes = prepared.facts["genes"] if prepared.impute else None
        problem = validate.problem_with(output, prepared.cells, genes)
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


def protected(request: Request) -> list[Path]:
    """Return what a method must not open: every result, and the raw data wherever they lie."""
    hide = _all_packaged() if request.hide is None else request.hide
    roots = [REPOSITORY / "results", *(REPOSITORY / place for place in hide)]
    parents = request.input.resolve().parents
    if len(parents) > 2 and (parents[2] / "vault").is_dir():
        roots.append(parents[2])
    return [path for path in dict.fromkeys(roots) if path.exists()]


def _all_packaged() -> list[Path]:
    """Return the raw data of every card, where nobody has said which: the cache, and packages."""
    files = [file for name in find_datasets() for file in dataset_card(name).files]
    return [Path("data"), *(path for file in files if (path := packaged(file)) is not None)]


@contextmanager
def _workplace(out: Path) -> Iterator[Path]:
    """Yield a fresh folder for the child beside its output; it is gone afterwards."""
    work = out.resolve() / ".work"
    shutil.rmtree(work, ignore_errors=True)
    try:
        for name in ("cwd", "output", "home", "tmp"):
            (work / name).mkdir(parents=True)
        yield work
    finally:
        shutil.rmtree(work, ignore_errors=True)


def _keep(work: Path, out: Path, ok: bool) -> None:
    """Move what is to be kept out of the workplace: the log always, results of whole runs only."""
    names = (
        "clusters.parquet",
        "embedding.npy",
        "imputed.h5ad",
        "snapshots.parquet",
        "trace.parquet",
    )
    for name in names:
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
