"""The sandbox of a method: an allow-list of files, no network, a private /tmp."""

from __future__ import annotations

import functools
import shutil
import subprocess
import sys
import sysconfig
from collections.abc import Iterable
from pathlib import Path
from typing import Literal

from blindfold.core.errors import BlindfoldError

Protection = Literal["bwrap", "tripwire", "none"]

_SYSTEM = (
    "/usr", "/bin", "/sbin", "/lib", "/lib32", "/lib64", "/etc/ld.so.cache", "/etc/alternatives",
)  # fmt: skip
_DEVICES = ("/dev/nvidia", "/dev/dri")


def protection(wanted: str) -> Protection:
    """Return the protection that ``sandbox: wanted`` gives on this machine.

    Raises
    ------
    BlindfoldError
        Where bwrap is asked for and does not work.
    """
    if wanted in ("none", "tripwire"):
        return wanted  # type: ignore[return-value]
    problem = _bwrap_problem()
    if problem is None:
        return "bwrap"
    if wanted == "bwrap":
        raise BlindfoldError(
            "the sandbox does not work", field="sandbox", found=problem, expected="bwrap",
            remedy="install bubblewrap (Debian: apt-get install bubblewrap), or set sandbox: auto",
        )  # fmt: skip
    return "tripwire"


def describe(wanted: str) -> str:
    """Say which protection ``sandbox: wanted`` gives on this machine, and why no better one."""
    kind = protection(wanted)
    words = {
        "bwrap": "bwrap (files by allow-list, no network) and tripwire",
        "tripwire": f"tripwire only ({_bwrap_problem() if wanted == 'auto' else 'as configured'})",
        "none": "none (as configured)",
    }
    return f"protection of method runs: {words[kind]}"


@functools.cache
def _bwrap_problem() -> str | None:
    """Return why bwrap does not work here, or None where it does."""
    if shutil.which("bwrap") is None:
        return "bwrap is not installed"
    trial = subprocess.run(
        [*_isolation(), *_bind_system(), "true"], capture_output=True, text=True, timeout=30
    )
    return None if trial.returncode == 0 else trial.stderr.strip()[-300:]


def bwrap_command(
    command: list[str],
    *,
    readable: Iterable[Path],
    writable: list[Path],
    protected: Iterable[Path],
    gpus: bool,
) -> list[str]:
    """Return the command inside the sandbox.

    Parameters
    ----------
    command
        The command to run.
    readable
        Files and folders bound read-only besides system libraries and the Python installation.
    writable
        The folders that can be written; in the first lies the working directory.
    protected
        Files and folders that are hidden where they lie inside something readable.
    gpus
        Bind the devices.
    """
    prefixes = [Path(sys.prefix), Path(sys.base_prefix), Path(sysconfig.get_paths()["purelib"])]
    roots = [path.resolve() for path in [*prefixes, *readable] if path.exists()]
    binds = _bind_system()
    for path in dict.fromkeys([*prefixes, *readable]):
        if path.exists() and not str(path).startswith("/usr/"):
            binds += ["--ro-bind", str(path.resolve()), str(path)]
    for path in protected:
        real = path.resolve()
        if real.exists() and any(real.is_relative_to(root) for root in [*roots, Path("/usr")]):
            empty = ["--tmpfs"] if real.is_dir() else ["--ro-bind", "/dev/null"]
            binds += [*empty, str(real)]
    for path in writable:
        binds += ["--bind", str(path.resolve()), str(path)]
    if gpus:
        for device in sorted(Path("/dev").glob("*")):
            if str(device).startswith(_DEVICES):
                binds += ["--dev-bind", str(device), str(device)]
        binds += ["--ro-bind-try", "/sys", "/sys"]
    return [*_isolation(), *binds, "--chdir", str(writable[0] / "cwd"), "--", *command]


def _isolation() -> list[str]:
    return [
        "bwrap", "--unshare-all", "--die-with-parent", "--new-session",
        "--tmpfs", "/tmp", "--proc", "/proc", "--dev", "/dev",
    ]  # fmt: skip


def _bind_system() -> list[str]:
    binds: list[str] = []
    for path in map(Path, _SYSTEM):
        if path.is_symlink():
            binds += ["--symlink", str(path.readlink()), str(path)]
        elif path.exists():
            binds += ["--ro-bind", str(path), str(path)]
    return binds
