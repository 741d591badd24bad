"""The devices of this machine, and which of them a run may take.

A device is known by its UUID: its number depends on who asks, and what one user calls 0 another
calls by its UUID. Where a GPU is cut into MIG parts, the parts are the devices.
"""

from __future__ import annotations

import os
import re
import shutil
import subprocess
import time
from dataclasses import dataclass

import psutil

from blindfold.core.errors import BlindfoldError

_NONE = ("-1", "none", "void", "nodevfiles")
"""What CUDA, container tools and Slurm write where there is no device."""

_TIMEOUT_S = 60
_GPU = re.compile(r"GPU (\d+): (.+) \(UUID: ([^)]+)\)")
_PART = re.compile(r"\s+MIG (\S+)\s+Device\s+(\d+): \(UUID: ([^)]+)\)")


class HostFault(BlindfoldError):
    """The host cannot do what it should; no method is to blame."""


@dataclass(frozen=True)
class Device:
    """
    One device.

    Parameters
    ----------
    name
        What `CUDA_VISIBLE_DEVICES` gets: the UUID, or what the user called it.
    index
        Its number on this machine, and of a part its number on its GPU, as in ``0:1``.
    model
        As its maker calls it; None where nobody says.
    """

    name: str
    index: str
    model: str | None = None


@dataclass(frozen=True)
class Driver:
    """Version of the driver, and of CUDA that it supports; None where nobody says."""

    driver: str | None = None
    cuda: str | None = None


def devices_of_the_machine() -> list[Device]:
    """
    Return what ``nvidia-smi`` lists.

    Raises
    ------
    HostFault
        Where it does not answer in time.
    """
    found: list[Device] = []
    gpu = parent = None
    for line in _ask("-L").splitlines():
        if match := _GPU.match(line):
            gpu, parent = match[1], match[2]
            found.append(Device(match[3], gpu, parent))
        elif match := _PART.match(line):
            # the whole can no longer be used where it has parts
            found = [each for each in found if each.index != gpu]
            found.append(Device(match[3], f"{gpu}:{match[2]}", f"{parent} MIG {match[1]}"))
    return found


def driver() -> Driver:
    """Return the versions of driver and CUDA."""
    text = _ask("-q", "-d", "COMPUTE")
    found = [re.search(rf"^{name} Version\s*: (\S+)", text, re.M) for name in ("Driver", "CUDA")]
    return Driver(*(match[1] if match else None for match in found))


def visible_devices() -> list[Device]:
    """
    Return the devices that this process may use, those of a scheduler or a user included.

    ``BLINDFOLD_GPUS`` and ``CUDA_VISIBLE_DEVICES`` name them by number, by UUID or by its
    beginning; as for CUDA, what follows a name of nothing does not count.

    Raises
    ------
    HostFault
        Where the machine does not say in time which devices it has.
    """
    known = devices_of_the_machine()
    by_scheduler = os.environ.get("CUDA_VISIBLE_DEVICES", "all")
    names = os.environ.get("BLINDFOLD_GPUS", by_scheduler)
    if names.strip().lower() == "all":
        return known
    found: list[Device] = []
    for name in (word.strip() for word in names.split(",")):
        if not name or name.lower() in _NONE:
            break
        found += _named(name, known)
    return list(dict.fromkeys(found))


def _named(name: str, known: list[Device]) -> list[Device]:
    """Return the devices that a name means: one, or the parts of one."""
    if not known:
        return [Device(name, name)]  # nobody can say more
    return [
        each
        for each in known
        if name in (each.index, each.index.split(":")[0]) or each.name.startswith(name)
    ]


class MemoryWatch:
    """
    The most memory that processes which descend from this one used on devices.

    Parameters
    ----------
    every_s
        Seconds between two looks.
    """

    def __init__(self, every_s: float = 10.0) -> None:
        self.every_s = every_s
        self.next = 0.0
        self.peak_mb: float | None = None

    def look(self) -> None:
        """Ask the driver, where the last look is some seconds old."""
        if time.monotonic() < self.next:
            return
        self.next = time.monotonic() + self.every_s
        own = {str(each.pid) for each in psutil.Process().children(recursive=True)}
        asked = _ask("--query-compute-apps=pid,used_memory", "--format=csv,noheader,nounits")
        rows = [line.replace(" ", "").split(",") for line in asked.splitlines()]
        used = [float(row[1]) for row in rows if row[0] in own and row[-1].isdigit()]
        if used:
            self.peak_mb = max(self.peak_mb or 0.0, sum(used))


def _ask(*words: str) -> str:
    """Return what ``nvidia-smi`` says; nothing where it is missing or fails."""
    if shutil.which("nvidia-smi") is None:
        return ""
    try:
        answer = subprocess.run(
            ["nvidia-smi", *words], capture_output=True, text=True, timeout=_TIMEOUT_S, check=False
        )
    except subprocess.TimeoutExpired as error:
        raise HostFault(
            f"nvidia-smi did not answer in {_TIMEOUT_S} s",
            remedy="look at the machine's driver (dmesg)",
        ) from error
    return answer.stdout if answer.returncode == 0 else ""
