"""Remove the lock that a killed Snakemake left behind."""

from __future__ import annotations

import os
import shutil
from pathlib import Path

import psutil


def unlock(folder: Path) -> str:
    """Remove Snakemake's locks in ``folder`` unless a live Snakemake works there.

    Returns
    -------
    str
        What was done.
    """
    locks = folder / ".snakemake" / "locks"
    if not locks.is_dir() or not any(locks.iterdir()):
        return "no lock"
    holders = [process.pid for process in psutil.process_iter() if _holds(process, folder)]
    if holders:
        return f"the lock is held by live process {holders[0]}: left alone"
    shutil.rmtree(locks)
    return "removed a stale lock: no live process held it"


def _holds(process: psutil.Process, folder: Path) -> bool:
    """Return whether a process is a Snakemake that works in ``folder``."""
    try:
        words = process.cmdline()
        return (
            process.pid != os.getpid()
            and any("snakemake" in Path(word).name for word in words[:4])
            and Path(process.cwd()).resolve() == folder.resolve()
        )
    except (psutil.Error, OSError):
        return False
