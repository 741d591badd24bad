"""The walls around a method: which hold on this machine, tried with the method's interpreter.

bwrap hides what a method must not see and renames what it may see; Landlock forbids what is not
allowed; the tripwire ends a method that opens a file it must not, as far as Python can see, and is
no wall. Inside both walls the tripwire stays, as what says *which* file was opened.
"""

from __future__ import annotations

import json
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Iterable
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from blindfold.core import io
from blindfold.core.errors import BlindfoldError
from blindfold.core.layout import REPOSITORY
from blindfold.core.protections import WALLS, Wall
from blindfold.run import landlock
from blindfold.run.bwrap import SYSTEM, bwrap_command

_DEVICES = ("null", "zero", "full", "random", "urandom")
_GPU_DEVICES = ("nvidia*", "nvidia-caps/*", "dri/*", "kfd")
_PROC = ("self", "cpuinfo", "meminfo", "stat", "version", "filesystems", "sys/vm", "sys/kernel")
_SYSTEM = (*SYSTEM, "/sys/devices/system/cpu", "/sys/devices/system/node")
_TRIAL = """
import sys, numpy
try:
    open(sys.argv[1]).read()
except OSError:
    open(sys.argv[2], "w").write("held")
"""


@dataclass(frozen=True)
class Protection:
    """
    What protects runs in one environment.

    Parameters
    ----------
    wall
        The wall that they run behind.
    why_not
        Why each stronger wall does not hold here.
    needed
        What the interpreter must be able to read.
    versions, environment
        Versions of Python and of the libraries that decide results; hash of all installed ones.
    """

    wall: Wall
    why_not: dict[str, str]
    needed: list[str]
    versions: dict[str, str]
    environment: str


def protect(wanted: str, python: Path) -> Protection:
    """
    Return the protection that ``sandbox: wanted`` gives on this machine.

    Raises
    ------
    BlindfoldError
        Where a wall is asked for by name and does not hold, or the interpreter does not start.
    """
    facts = _probe(python)
    if wanted in ("none", "tripwire"):
        return Protection(wanted, {}, **facts)  # type: ignore[arg-type]
    why_not: dict[str, str] = {}
    for wall in ("bwrap", "landlock") if wanted == "auto" else (wanted,):
        problem = _problem_with(wall, python, facts["needed"])
        if problem is None:
            return Protection(wall, why_not, **facts)  # type: ignore[arg-type]
        why_not[wall] = problem
    if wanted != "auto":
        raise BlindfoldError(
            "the sandbox does not work", field="sandbox", found=why_not[wanted], expected=wanted,
            remedy="install bubblewrap (Debian: apt-get install bubblewrap), or set sandbox: auto",
        )  # fmt: skip
    return Protection("tripwire", why_not, **facts)


def describe(protection: Protection) -> str:
    """Say what protects method runs, and why nothing better does."""
    reasons = "; ".join(f"{wall}: {why}" for wall, why in protection.why_not.items())
    told = f"protection of method runs: {WALLS[protection.wall]}"
    return f"{told} ({reasons})" if reasons else told


def write_protections(path: Path, found: dict[str, Protection]) -> None:
    """Write down what protects runs in each environment of a benchmark."""
    io.write_json(path, {"environments": {name: asdict(each) for name, each in found.items()}})


def read_protection(path: Path, environment: str) -> Protection:
    """Return what was decided for an environment.

    Raises
    ------
    BlindfoldError
        Where nothing was decided for it.
    """
    written: dict[str, Any] = io.read_json(path)
    if environment not in written["environments"]:
        raise BlindfoldError("nothing decided for an environment", file=path, field=environment,
                             remedy="delete the file and run again")  # fmt: skip
    return Protection(**written["environments"][environment])


def behind(
    protection: Protection, command: list[str], *, code: Iterable[Path],
    given: tuple[Path, Path], writable: list[tuple[Path, Path]], hidden: Iterable[Path], cwd: Path,
    gpus: bool = False,
) -> list[str]:  # fmt: skip
    """
    Return the command line of a command behind a wall.

    Parameters
    ----------
    protection
        Which wall, and what the interpreter needs.
    command
        What to run, in paths as they are inside.
    code
        Files and folders that may be read where they are.
    given, writable
        Where something lies and where it is found inside; the first only to be read.
    hidden
        What must not be read even where it lies inside something readable.
    cwd
        Working directory, inside.
    gpus
        Let the devices in.
    """
    readable = [Path(path) for path in protection.needed if not _ours(Path(path))] + list(code)
    if protection.wall == "bwrap":
        return bwrap_command(command, readable=readable, bound=[given], writable=writable,
                             hidden=hidden, cwd=cwd, gpus=gpus)  # fmt: skip
    if protection.wall != "landlock":
        return command
    system = [Path(path) for path in _SYSTEM]
    allowed, listed = _carved([*system, *readable], list(hidden))
    patterns = [*_DEVICES, *(_GPU_DEVICES if gpus else ())]
    devices = [path for pattern in patterns for path in sorted(Path("/dev").glob(pattern))]
    spec = {
        "readable": [*map(str, [*allowed, given[0]]), *(f"/proc/{name}" for name in _PROC)],
        "listed": [str(path) for path in listed],
        "writable": [str(path) for path, _ in writable],
        "devices": [str(path) for path in devices],
    }
    return [sys.executable, "-I", "-S", landlock.__file__, json.dumps(spec), *command]


def _ours(path: Path) -> bool:
    """Tell the suite's own code, which an editable installation puts on every path."""
    return path.is_relative_to(REPOSITORY / "workflow") or path == REPOSITORY


def _carved(readable: Iterable[Path], hidden: list[Path]) -> tuple[list[Path], list[Path]]:
    """
    Return what may be read so that nothing hidden may, and the folders that may be listed.

    Landlock allows whole folders only: one that holds something hidden is replaced by all that
    it holds, but for the hidden.
    """
    reals = {path.resolve() for path in hidden}
    allowed, listed = [], []
    waiting = list(dict.fromkeys(path.resolve() for path in readable if path.exists()))
    while waiting:
        path = waiting.pop()
        if any(path.is_relative_to(real) for real in reals):
            continue
        if any(real.is_relative_to(path) for real in reals):
            listed.append(path)
            waiting += path.iterdir()
        else:
            allowed.append(path)
    return allowed, listed


def _probe(python: Path) -> dict[str, Any]:
    """Ask an interpreter what it needs and has."""
    command = [str(python), "-I", str(REPOSITORY / "methods" / "probe.py")]
    done = subprocess.run(command, capture_output=True, text=True, timeout=300, check=False)
    if done.returncode:
        raise BlindfoldError(
            "the interpreter of an environment does not start", file=python,
            found=done.stderr.strip()[-500:], remedy="install the environment again",
        )  # fmt: skip
    facts: dict[str, Any] = json.loads(done.stdout)
    return facts


def _problem_with(wall: str, python: Path, needed: list[str]) -> str | None:
    """Return why a wall does not hold, or None where the interpreter starts and is held."""
    if wall == "bwrap" and shutil.which("bwrap") is None:
        return "bwrap is not installed"
    if wall == "landlock" and not landlock.abi():
        return "this kernel has none, or has it switched off"
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name).resolve()
        for part in ("work/cwd", "given"):
            (folder / part).mkdir(parents=True)
        (folder / "secret").write_text("seen")
        inside = Path("/job") if wall == "bwrap" else folder / "work"
        trial = [str(python), "-I", "-c", _TRIAL, str(folder / "secret"), str(inside / "held")]
        command = behind(
            Protection(wall, {}, needed, {}, ""), trial, code=[],  # type: ignore[arg-type]
            given=(folder / "given", folder / "given" if wall == "landlock" else Path("/given")),
            writable=[(folder / "work", inside)], hidden=[folder / "secret"], cwd=inside / "cwd",
        )  # fmt: skip
        try:
            done = subprocess.run(command, capture_output=True, text=True, timeout=120, check=False)
        except (OSError, subprocess.TimeoutExpired) as error:
            return str(error)[:300]
        if (folder / "work" / "held").exists():
            return None
    return done.stderr.strip()[-300:] or "it lets a forbidden file be read"
