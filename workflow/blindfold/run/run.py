"""The supervisor: one method, one dataset, one seed, one record, whatever happens."""

from __future__ import annotations

import errno
import os
import signal
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import asdict
from pathlib import Path
from typing import Any

from blindfold.core.available import packaged
from blindfold.core.datasets import dataset_card, find_datasets
from blindfold.core.errors import BlindfoldError
from blindfold.core.layout import REPOSITORY, WORK
from blindfold.core.log import log
from blindfold.run import checkpoint, child, outputs, record
from blindfold.run.alone import Claim, alone
from blindfold.run.child_report import ChildReport, read_report
from blindfold.run.devices import Device, HostFault, MemoryWatch, driver
from blindfold.run.kept import finished
from blindfold.run.key import decided_by, key
from blindfold.run.lease import lease, scheduler
from blindfold.run.leavings import Refused, clean
from blindfold.run.process import Outcome, supervise
from blindfold.run.request import Request, ResolvedRequest, interpreter, resolve, why_unavailable
from blindfold.run.walls import Protection, protect, read_protection
from blindfold.run.workspace import Workspace, workspace

HOST_ERRORS = (
    errno.ENOSPC, errno.EDQUOT, errno.EIO, errno.EROFS, errno.ESTALE, errno.ENODEV, errno.ENXIO,
    errno.ENOTCONN, errno.ETIMEDOUT, errno.EMFILE, errno.ENFILE, errno.ENOMEM,
)  # fmt: skip
"""Errors that are the host's, never a method's."""

NOT_OK = 3
"""Exit status of a run by hand that ended with a record, but not ``ok``."""

_SHORT_S = 5.0
"""Of shorter runs the share of processors says nothing."""


def run(request: Request) -> int:
    """Run a method and write its record.

    Returns
    -------
    int
        0 for ``ok`` and ``unavailable``, 3 for any other status, or 0 where only a record is asked
        for; 75 where another attempt may end better: out of memory while a later one may have more,
        or a fault of the host; 143 or 130 where a scheduler or a person ended it.

    Raises
    ------
    BlindfoldError
        Where the request itself is wrong: method, input, K; or nothing can be written.
    """
    resolved = resolve(request)
    out = request.out
    with _signals() as signals, alone(out, lambda: bool(signals)) as claim:
        if claim is None:
            return 128 + signals[0]
        (out / "run.json").unlink(missing_ok=True)
        killed = record.killed_attempts(out, request.attempt)
        record.journal(out, request.attempt, "start", **scheduler())
        reason = why_unavailable(resolved)
        if reason:
            values = {**resolved.initial_record, "status": "unavailable", "reason": reason}
        elif killed >= record.KILLED_ATTEMPTS:
            reason = f"ended from outside in {killed} attempts; see attempts.jsonl"
            values = {**resolved.initial_record, "status": "killed", "reason": reason}
        else:
            values = _attempt(resolved, claim, signals)
        if signals and values["status"] == "killed":
            record.journal(out, request.attempt, "killed", signal=signals[0])
            return 128 + signals[0]
        if values["status"] in ("oom", "killed") and request.attempt < request.last_attempt:
            event = "end" if values["status"] == "oom" else "killed"
            record.journal(out, request.attempt, event, status=values["status"])
            log.warning("%s in attempt %d (%s): asking for another", values["status"],
                        request.attempt, values["reason"])  # fmt: skip
            return os.EX_TEMPFAIL
        if values["status"] != "ok":
            outputs.remove_outputs(out)
        done = record.write_record(out, values)
        checkpoint.discard(out)
        claim.path.unlink(missing_ok=True)
        record.journal(out, request.attempt, "end", status=done.status)
    log.info("%s on %s, seed %d: %s%s", request.method, done.dataset, done.seed, done.status,
             f" ({done.reason})" if done.reason else "")  # fmt: skip
    return 0 if request.record_only or done.status in ("ok", "unavailable") else NOT_OK


def _attempt(resolved: ResolvedRequest, claim: Claim, signals: list[int]) -> dict[str, Any]:
    """Return the values of the record: those of a finished run of the same key, or of a child."""
    values = {**resolved.initial_record, "started": record.now()}
    try:
        protection, hidden = _protection(resolved)
        decided = decided_by(resolved, protection.environment, resolved.request.gpus)
        if (found := finished(resolved, key(decided))) is not None:
            log.info("nothing that decides the result has changed: the run is not done again")
            return found
        outputs.remove_outputs(resolved.request.out)
        return _run_child(resolved, claim, signals, values, protection, hidden)
    except OSError as error:
        if error.errno not in HOST_ERRORS:
            raise
        told = os.strerror(error.errno or 0)
    except BlindfoldError as error:
        if not isinstance(error, HostFault) and not isinstance(error.__cause__, OSError):
            raise
        told = error.what
    outputs.remove_outputs(resolved.request.out)
    return {**values, "status": "killed", "reason": f"a fault of the host: {told}"}


def _run_child(
    resolved: ResolvedRequest, claim: Claim, signals: list[int], values: dict[str, Any],
    protection: Protection, hidden: list[Path],
) -> dict[str, Any]:  # fmt: skip
    request, out = resolved.request, resolved.request.out
    with lease(request.gpus, lambda: bool(signals)) as (devices, fds):
        names = [device.name for device in devices]
        values |= {
            "lease": names, "sandbox": protection.wall, "versions": protection.versions,
            "gpu": _gpu(devices), "started": record.now(),
        }  # fmt: skip
        if len(devices) < request.gpus and not request.allow_cpu and not signals:
            reason = f"{request.gpus} GPUs asked for, fewer on this machine"
            return {**values, "status": "unavailable", "reason": reason}
        values["decided_by"] = decided_by(resolved, protection.environment, len(devices))
        values["key"] = key(values["decided_by"])
        values["hashes"] = {**values["hashes"], "environment": protection.environment}
        state = checkpoint.own_folder(out, values["key"])
        goes_on = (state / "state").exists()
        before = (claim.before.wall_s, claim.before.cpu_s) if goes_on else (0.0, 0.0)
        with (
            workspace(request.input, state, protection.wall == "bwrap") as work,
            child.pipe() as (reader, writer),
        ):
            watch = MemoryWatch()

            def tick(wall_s: float, cpu_s: float) -> None:
                claim.tick(before[0] + wall_s, before[1] + cpu_s)
                if devices:
                    watch.look()

            claim.beat.work = str(work.outside)
            claim.tick(*before, now=True)
            tripwire = writer.fileno() if protection.wall != "none" else None
            env = child.environment(resolved.card, work, names)
            job = child.write_job(resolved, work, names, protection, hidden, tripwire)
            outcome = supervise(
                child.command(resolved, job, work, protection, hidden, gpus=bool(devices)),
                env=env,
                cwd=work.outside / "cwd",
                log=out / "log.txt",
                fds=[*fds, writer.fileno()],
                limit_s=request.minutes * 60,
                limit_mb=request.memory_gb * 1024,
                limit_cpu_s=None if request.cpu_minutes is None else request.cpu_minutes * 60,
                stopped=lambda: bool(signals),
                tick=tick,
            )
            values |= {
                "ended": record.now(), "exit": outcome.exit, "peak_rss_mb": outcome.peak_rss_mb,
                "wall_s": before[0] + outcome.wall_s, "cpu_s": before[1] + outcome.cpu_s,
                "log_tail": child.log_tail(out / "log.txt"),
            }  # fmt: skip
            claim.tick(values["wall_s"], values["cpu_s"], now=True)
            writer.close()
            opened = reader.read().decode(errors="replace").splitlines()
            values |= _result(resolved, work, outcome, opened)
            seen = [each for each in (watch.peak_mb, values["peak_gpu_mb"]) if each is not None]
            values["peak_gpu_mb"] = max(seen, default=None) if devices else None
    if values["fit_s"] is not None and values["fit_s"] > values["wall_s"]:
        values["fit_s"] = None  # the child's word, and more than it can be
    if told := _more_threads(values["threads"], values["wall_s"], values["cpu_s"]):
        values["notes"] |= {"processors": told}
        log.warning("%s %s", request.method, told)
    return values


def _more_threads(threads: int, wall_s: float, cpu_s: float) -> str | None:
    """Say how many processors a run used where they are more than its card's threads."""
    if wall_s < _SHORT_S or cpu_s / wall_s < threads + 0.5:
        return None
    return f"used {cpu_s / wall_s:.1f} processors, its card states {threads} threads"


def _gpu(devices: list[Device]) -> dict[str, str | None] | None:
    """Return model and driver of the leased devices; None without a lease."""
    if not devices:
        return None
    models = sorted({device.model for device in devices if device.model})
    return {"model": ", ".join(models) or None, **asdict(driver())}


def _protection(resolved: ResolvedRequest) -> tuple[Protection, list[Path]]:
    """Return what protects the run, and what it must not open.

    It was decided for the whole benchmark; by hand it is decided for this run.
    """
    request, environment = resolved.request, resolved.card.environment
    if request.protection is not None:
        protection = read_protection(request.protection, environment)
    else:
        python = interpreter(environment)
        assert python is not None, "a run without its environment is unavailable"
        protection = protect(request.sandbox, python)
    hide = _raw_data_of_all_cards() if request.hide is None else list(request.hide)
    return protection, protected_paths(request, hide)


def _result(
    resolved: ResolvedRequest, work: Workspace, outcome: Outcome, opened: list[str]
) -> dict[str, Any]:
    """Return status, reason and what comes of the child's answer."""
    try:
        report, problem = read_report(work.output), None
    except Refused as error:
        report, problem = ChildReport(), str(error)
    values: dict[str, Any] = {
        "fit_s": report.fit_s, "snapshot_s": report.snapshot_s, "notes": report.notes,
        "device": _device(resolved, report), "peak_gpu_mb": report.peak_gpu_mb,
    }  # fmt: skip
    status, reason = _ending(resolved.request, outcome, opened, report, problem)
    if status == "ok":
        try:
            values["n_clusters"] = outputs.keep_outputs(
                work.output, resolved.request.out, outputs.expected(resolved), report.trace
            )
            values["outputs"] = outputs.checksums(resolved.request.out)
        except Refused as error:
            status, reason = "invalid", str(error)
    return {**values, "status": status, "reason": reason}


def _device(resolved: ResolvedRequest, report: ChildReport) -> str | None:
    """Return what computed; without a lease it can only be the CPU."""
    return report.device if resolved.request.gpus else "cpu"


def _ending(
    request: Request, outcome: Outcome, opened: list[str], report: ChildReport, problem: str | None
) -> tuple[str, str | None]:
    """Return status and reason of a child that has ended, before its answer is looked at."""
    if opened or outcome.exit == child.TRIPPED:
        return "invalid", f"opened {clean(opened[0]) if opened else 'a file that it must not'}"
    if outcome.ended == "stopped":
        return "killed", "ended from outside"
    if outcome.ended == "timeout" and outcome.starved:
        return "killed", f"a fault of the host: starved: {outcome.usage()}"
    if outcome.ended == "timeout":
        return "timeout", f"ran longer than {request.minutes:g} minutes ({outcome.usage()})"
    if outcome.ended == "cpu":
        return "timeout", f"used more than {request.cpu_minutes:g} minutes of processor time"
    if outcome.ended == "oom":
        return "oom", f"used more than {request.memory_gb:g} GiB"
    if report.failure is not None:
        return report.failure, report.reason
    if outcome.exit == 0:
        return ("invalid", problem) if problem else ("ok", None)
    told = f"; {problem}" if problem else ""
    number = -outcome.exit if outcome.exit < 0 else outcome.exit - 128
    if number == signal.SIGKILL and outcome.host_ran_out:
        return "killed", "a fault of the host: the system ran out of memory"
    if number in signal.valid_signals():
        return "crash", f"ended by signal {signal.Signals(number).name}{told}"
    return "crash", f"ended with exit status {outcome.exit} and no report{told}"


def protected_paths(request: Request, hide: list[Path]) -> list[Path]:
    """Return what a method must not open: every result, and the raw data wherever they lie."""
    roots = [REPOSITORY / "results", WORK.parent, *(REPOSITORY / path for path in hide)]
    parents = request.input.resolve().parents
    if len(parents) > 2 and (parents[2] / "vault").is_dir():
        roots.append(parents[2])
    return [path for path in dict.fromkeys(roots) if path.exists()]


def _raw_data_of_all_cards() -> list[Path]:
    """Return where raw data of any card may lie: the default cache, and installed packages."""
    files = [file for name in find_datasets() for file in dataset_card(name).files]
    return [Path("data"), *(path for file in files if (path := packaged(file)) is not None)]


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
