"""What the child process gets: command, environment, job file; and what it reports."""

from __future__ import annotations

import json
import os
import shutil
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import IO, Any

from blindfold.core.layout import BESIDE, REPOSITORY
from blindfold.core.methods import MethodCard
from blindfold.run.request import Prepared, Request, interpreter
from blindfold.run.sandbox import Protection, wrap

WARM_NUMBA = Path(sys.prefix) / "numba-cache"
"""Compiled kernels made at installation; each run gets a copy, so none can be tampered with."""

_PASSED_ON = ("PATH", "LD_LIBRARY_PATH", "CUDA_HOME", "TZ")
_THREADS = (
    "OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS", "NUMEXPR_NUM_THREADS",
    "NUMBA_NUM_THREADS", "VECLIB_MAXIMUM_THREADS",
)  # fmt: skip

KEEP_FREED = {"MALLOC_MMAP_THRESHOLD_": str(2**26), "MALLOC_TRIM_THRESHOLD_": str(2**30)}
"""glibc keeps freed arrays of up to 64 MiB: to be given each again can be a third of an epoch."""


@contextmanager
def pipe() -> Iterator[tuple[IO[bytes], IO[bytes]]]:
    """Yield reader and writer of the pipe through which the tripwire reports."""
    descriptors = os.pipe()
    with open(descriptors[0], "rb") as reader, open(descriptors[1], "wb") as writer:
        yield reader, writer


def environment(card: MethodCard, work: Path, devices: list[str]) -> dict[str, str]:
    """Return the child's whole environment: nothing of the caller's but what is needed to start."""
    threads = dict.fromkeys(_THREADS, str(card.resources.threads))
    if WARM_NUMBA.is_dir():
        shutil.copytree(WARM_NUMBA, work / "numba")
    return {
        **{name: os.environ[name] for name in _PASSED_ON if name in os.environ},
        **threads,
        **KEEP_FREED,
        "HOME": str(work / "home"),
        "TMPDIR": str(work / "tmp"),
        "NUMBA_CACHE_DIR": str(work / "numba"),
        "MPLCONFIGDIR": str(work / "home"),
        "PYTHONPATH": str(REPOSITORY),
        "PYTHONSAFEPATH": "1",
        "PYTHONHASHSEED": "0",
        "PYTHONNOUSERSITE": "1",
        "PYTHONDONTWRITEBYTECODE": "1",
        "PYTHONUNBUFFERED": "1",
        "LANG": "C.UTF-8",
        "CUBLAS_WORKSPACE_CONFIG": ":4096:8",
        "CUDA_VISIBLE_DEVICES": ",".join(devices),
    }


def write_job(
    prepared: Prepared,
    work: Path,
    devices: list[str],
    covered: list[Path],
    tripwire: int | None,
    kept: Path,
) -> Path:
    """Write the child's job file and return its path."""
    request, card = prepared.request, prepared.card
    inputs = [str(path) for path in inputs_of(request)]
    job = {
        **dict(zip(("input", *BESIDE), inputs, strict=True)),
        "folder": str(prepared.folder.resolve()),
        "entry": card.entry,
        "needs": [*card.needs, *card.uses],
        "params": prepared.params,
        "job": {
            "seed": request.seed,
            "n_clusters": prepared.n_clusters,
            "threads": card.resources.threads,
            "snapshots": request.snapshots,
            "impute": prepared.impute,
        },
        "lease": devices,
        "allow_cpu": request.allow_cpu,
        "output": str(work / "output"),
        "checkpoint": {
            "folder": str(kept),
            "key": kept.name,
            "every_s": request.checkpoint_s,
        },
        "tripwire": tripwire,
        "protected": [str(path) for path in covered],
        "allowed": [*inputs, str(work), str(kept), str(prepared.folder.resolve())],
    }
    path = work / "job.json"
    path.write_text(json.dumps(job))
    return path


def inputs_of(request: Request) -> list[Path]:
    """Return the paths of the blinded data and of what may lie beside it."""
    path = request.input.resolve()
    return [path, *(path.parent / name for name in BESIDE.values())]


def command(
    prepared: Prepared,
    job: Path,
    work: Path,
    guard: Protection,
    covered: list[Path],
    kept: Path,
    gpus: bool,
) -> list[str]:
    """Return the command line of the child, inside the sandbox where there is one."""
    python = interpreter(prepared.card.environment)
    bare = [str(python), "-m", "methods.runner", str(job)]
    if guard != "bwrap":
        return bare
    readable = [REPOSITORY / "methods", prepared.folder.resolve(), *inputs_of(prepared.request)]
    return wrap(bare, readable=readable, writable=[work, kept], covered=covered, gpus=gpus)


def read_report(output: Path) -> dict[str, Any]:
    """Return what the child reported of itself; empty where it died before."""
    try:
        report = json.loads((output / "report.json").read_text())
    except (OSError, ValueError):
        return {}
    return report if isinstance(report, dict) else {}


def log_tail(path: Path, characters: int = 2000) -> str:
    """Return the end of a log."""
    return path.read_text(errors="replace")[-characters:]
