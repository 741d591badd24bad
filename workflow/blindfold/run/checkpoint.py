"""The folder in which a method may keep its state, so that a killed run goes on where it was.

It cannot carry information to another run: its name is a hash of all that decides the result and of
the run's own folder, so that only attempts at the same run see it; that of other settings is
removed first, and the supervisor never reads what is in it.
"""

from __future__ import annotations

import hashlib
import shutil
from pathlib import Path

from blindfold.core.layout import STATES


def own_folder(out: Path, key: str) -> Path:
    """Return the run's own folder, made if need be, after removing that of other settings."""
    name = hashlib.sha256(f"{key} {out.resolve()}".encode()).hexdigest()
    if _name(out) != name:
        discard(out)
        out.mkdir(parents=True, exist_ok=True)
        _note(out).write_text(name)
    folder = STATES.resolve() / name
    folder.mkdir(parents=True, exist_ok=True)
    return folder


def discard(out: Path) -> None:
    """Remove what the attempts of a run kept."""
    if name := _name(out):
        shutil.rmtree(STATES.resolve() / name, ignore_errors=True)
    _note(out).unlink(missing_ok=True)


def _note(out: Path) -> Path:
    return out / "state.txt"


def _name(out: Path) -> str | None:
    """Return the name of the folder that the run's last attempt had."""
    text = _note(out).read_text() if _note(out).is_file() else ""
    return text if len(text) == 64 and text.isalnum() else None
