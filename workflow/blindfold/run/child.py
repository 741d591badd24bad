"""What the child process gets, command, environment and job file, and what it reports."""

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
from blindfold.run.request import Request, ResolvedRequest, interpreter
from blindfold.run.sandbox import Protection, bwrap_command

WARM_NUMBA = Path(sys.prefix) / "numba-cache"
"""Kernels compiled at installation; each run gets a copy, which no other run reads."""

_PASSED_ON = ("PATH", "LD_LIBRARY_PATH", "CUDA_HOME", "TZ")
_THREADS = (
    "OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS", "NUMEXPR_NUM_THREADS",
    "NUMBA_NUM_THREADS", "VECLIB_MAXIMUM_THREADS",
)  # fmt: skip

KEEP_FREED = {"MALLOC_MMAP_THRESHOLD_": str(2**25), "MALLOC_TRIM_THRESHOLD_": str(2**30)}
"""Make glibc keep freed arrays of up to 32 MiB: getting them anew can take a third of an epoch.

Larger ones go back: glibc hardly uses freed memory again for arrays as aligned as torch's, so that
what it keeps adds up, for scRCL at 10,000 cells to a quarter of the peak.
"""


@contextmanager
def pipe() -> Iterator[tuple[IO[bytes], IO[bytes]]]:
    """Yield reader and writer of the pipe through which the tripwire reports."""
    descriptors = os.pipe()
    with open(descriptors[0], "rb") as reader, open(descriptors[1], "wb") as writer:
        yield reader, writer


def environment(card: MethodCard, work: Path, devices: list[str]) -> dict[str, str]:
    """Return the child's whole environment: of the caller's, only what is needed to start."""
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
    resolved: ResolvedRequest, work: Path, devices: list[str], protected: list[Path],
    tripwire: int | None, checkpoint: Path,
) -> Path:  # fmt: skip
    """Write the child's job file and return its path."""
    request, card = resolved.request, resolved.card
    inputs = [str(path) for path in input_files(request)]
    job = {
        **dict(zip(("input", *BESIDE), inputs, strict=True)),
        "folder": str(resolved.folder.resolve()),
        "entry": card.entry,
        "needs": [*card.needs, *card.uses],
        "params": resolved.params,
        "job": {
            "seed": request.seed, "n_clusters": resolved.n_clusters,
            "threads": card.resources.threads, "snapshots": request.snapshots,
            "impute": resolved.impute,
        },
        "lease": devices,
        "allow_cpu": request.allow_cpu,
        "output": str(work / "output"),
        "checkpoint": {
            "folder": str(checkpoint), "key": checkpoint.name, "every_s": request.checkpoint_s,
        },
        "tripwire": tripwire,
        "protected": [str(path) for path in protected],
        "allowed": [*inputs, str(work), str(checkpoint), str(resolved.folder.resolve())],
    }  # fmt: skip
    path = work / "job.json"
    path.write_text(json.dumps(job))
    return path


def input_files(request: Request) -> list[Path]:
    """Return the paths of the blinded data, its image and features of its image."""
    path = request.input.resolve()
    return [path, *(path.parent / name for name in BESIDE.values())]


def command(
    resolved: ResolvedRequest, job: Path, work: Path, protection: Protection,
    protected: list[Path], checkpoint: Path, gpus: bool,
) -> list[str]:  # fmt: skip
    """Return the command line of the child, inside the sandbox where there is one."""
    python = interpreter(resolved.card.environment)
    runner = [str(python), "-m", "methods.runner", str(job)]
    if protection != "bwrap":
        return runner
    readable = [REPOSITORY / "methods", resolved.folder.resolve(), *input_files(resolved.request)]
    return bwrap_command(
        runner, readable=readable, writable=[work, checkpoint], protected=protected, gpus=gpus
    )


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
