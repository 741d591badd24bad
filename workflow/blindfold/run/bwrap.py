"""The command line of bubblewrap: an allow-list of files, paths of our choice, no network."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from pathlib import Path

SYSTEM = (
    "/usr", "/bin", "/sbin", "/lib", "/lib32", "/lib64", "/etc/ld.so.cache", "/etc/alternatives",
)  # fmt: skip
_DEVICES = ("/dev/nvidia", "/dev/dri")


def bwrap_command(
    command: Sequence[str],
    *,
    readable: Iterable[Path],
    bound: Iterable[tuple[Path, Path]],
    writable: Iterable[tuple[Path, Path]],
    hidden: Iterable[Path],
    cwd: Path,
    gpus: bool = False,
) -> list[str]:
    """Return the command inside the sandbox.

    Parameters
    ----------
    command
        The command to run.
    readable
        Files and folders bound read-only where they are, besides system libraries.
    bound
        Pairs of a path and where it stands inside, read-only.
    writable
        The same, to be written.
    hidden
        Files and folders that are covered where they lie inside something readable.
    cwd
        The working directory, inside.
    gpus
        Bind the devices.
    """
    readable = [path for path in dict.fromkeys(readable) if path.exists()]
    binds = _bind_system()
    for path in readable:
        if not path.is_relative_to("/usr"):
            binds += ["--ro-bind", str(path.resolve()), str(path)]
    roots = [path.resolve() for path in [*readable, Path("/usr")]]
    for real in dict.fromkeys(path.resolve() for path in hidden):
        if real.exists() and any(real.is_relative_to(root) for root in roots):
            empty = ["--tmpfs"] if real.is_dir() else ["--ro-bind", "/dev/null"]
            binds += [*empty, str(real)]
    for path, inside in bound:
        binds += ["--ro-bind", str(path), str(inside)]
    for path, inside in writable:
        binds += ["--bind", str(path), str(inside)]
    if gpus:
        for device in sorted(Path("/dev").glob("*")):
            if str(device).startswith(_DEVICES):
                binds += ["--dev-bind", str(device), str(device)]
        binds += ["--ro-bind-try", "/sys", "/sys"]
    return [*_isolation(), *binds, "--chdir", str(cwd), "--", *command]


def _isolation() -> list[str]:
    return [
        "bwrap", "--unshare-all", "--die-with-parent", "--new-session",
        "--tmpfs", "/tmp", "--proc", "/proc", "--dev", "/dev",
    ]  # fmt: skip


def _bind_system() -> list[str]:
    binds: list[str] = []
    for path in map(Path, SYSTEM):
        if path.is_symlink():
            binds += ["--symlink", str(path.readlink()), str(path)]
        elif path.exists():
            binds += ["--ro-bind", str(path), str(path)]
    return binds
