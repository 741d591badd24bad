"""What the child process gets: command, environment and job file."""

from __future__ import annotations

import hashlib
import json
import os
import secrets
import shutil
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import IO

from blindfold.core.layout import BESIDE, REPOSITORY
from blindfold.core.methods import MethodCard
from blindfold.run.request import ResolvedRequest, interpreter
from blindfold.run.walls import Protection, behind
from blindfold.run.workspace import Workspace

WARM_NUMBA = Path(sys.prefix) / "numba-cache"
"""Kernels compiled at installation; each run gets a copy, which no other run reads."""

_PASSED_ON = ("PATH", "LD_LIBRARY_PATH", "CUDA_HOME", "TZ")
_THREADS = (
    "OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS", "NUMEXPR_NUM_THREADS",
    "NUMBA_NUM_THREADS", "VECLIB_MAXIMUM_THREADS",
)  # fmt: skip

TRIPPED = 87
"""Exit status of a child that the tripwire ended, see methods/tripwire.py."""

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


def environment(card: MethodCard, work: Workspace, devices: list[str]) -> dict[str, str]:
    """Return the child's whole environment: of the caller's, only what is needed to start."""
    threads = dict.fromkeys(_THREADS, str(card.resources.threads))
    if WARM_NUMBA.is_dir():
        shutil.copytree(WARM_NUMBA, work.outside / "numba", dirs_exist_ok=True)
    return {
        **{name: os.environ[name] for name in _PASSED_ON if name in os.environ},
        **threads,
        **KEEP_FREED,
        "HOME": str(work.inside / "home"),
        "TMPDIR": str(work.inside / "tmp"),
        "NUMBA_CACHE_DIR": str(work.inside / "numba"),
        "MPLCONFIGDIR": str(work.inside / "home"),
        "PYTHONPATH": str(work.code()),
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
    resolved: ResolvedRequest, work: Workspace, devices: list[str], protection: Protection,
    hidden: list[Path], tripwire: int | None,
) -> Path:  # fmt: skip
    """Write the child's job file and return where the child finds it.

    Nothing in it names benchmark, dataset or repeat: paths that must not be opened are given as
    hashes, see `tripwire_list`.
    """
    request, card = resolved.request, resolved.card
    inputs = [str(path) for path in work.given()]
    own = [str(work.inside), str(work.inside_state())]
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
        "output": str(work.inside / "output"),
        "checkpoint": {
            "folder": str(work.inside_state()), "every_s": request.checkpoint_s,
            "key": f"{work.state.name} {protection.environment}",
        },
        "tripwire": tripwire,
        "protected": tripwire_list(hidden),
        "allowed": [*own, str(resolved.folder.resolve())],
        "writable": own if protection.wall == "tripwire" else None,
    }  # fmt: skip
    (work.outside / "given" / "job.json").write_text(json.dumps(job))
    return work.inside / "given" / "job.json"


def tripwire_list(hidden: list[Path]) -> dict[str, str | list[str]]:
    """Return real paths as hashes: enough to recognise one, not to learn which there are."""
    salt = secrets.token_hex(16)
    paths = sorted({os.path.realpath(path) for path in hidden})
    return {
        "salt": salt,
        "hashes": [hashlib.sha256((salt + path).encode()).hexdigest() for path in paths],
    }


def command(
    resolved: ResolvedRequest, job: Path, work: Workspace, protection: Protection,
    hidden: list[Path], gpus: bool,
) -> list[str]:  # fmt: skip
    """Return the command line of the child, behind its wall where there is one."""
    python = interpreter(resolved.card.environment)
    given = (work.outside / "given", work.inside / "given")
    writable = [(path, work.inside / path.name) for path in work.outside.iterdir()]
    writable = [pair for pair in writable if pair[0].name != "given"]
    return behind(
        protection, [str(python), "-m", "methods.runner", str(job)],
        code=[REPOSITORY / "methods", resolved.folder.resolve()], given=given,
        writable=[*writable, (work.state, work.inside_state())], hidden=hidden,
        cwd=work.inside / "cwd", gpus=gpus,
    )  # fmt: skip


def log_tail(path: Path, characters: int = 2000) -> str:
    """Return the end of a log."""
    return path.read_text(errors="replace")[-characters:]
