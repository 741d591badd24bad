"""One run per device: a lock file for each device of this host, whoever asks and from where."""

from __future__ import annotations

import errno
import fcntl
import os
import socket
import stat
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager, suppress
from pathlib import Path
from typing import Any

from blindfold.run.devices import Device, visible_devices

_SCHEDULERS = {
    "slurm": "SLURM_JOB_ID",
    "pbs": "PBS_JOBID",
    "lsf": "LSB_JOBID",
    "sge": "JOB_ID",
    "kubernetes": "KUBERNETES_SERVICE_HOST",
}


def scheduler() -> dict[str, Any]:
    """Return name, job id and node of the scheduler that started this process."""
    for name, variable in _SCHEDULERS.items():
        if variable in os.environ:
            job = socket.gethostname() if name == "kubernetes" else os.environ[variable]
            node = os.environ.get("SLURMD_NODENAME", socket.gethostname())
            return {"name": name, "job_id": job, "node": node}
    return {"name": "local", "job_id": None, "node": socket.gethostname()}


def lock_folder() -> Path:
    """Return the folder of device locks of all users of this host."""
    return Path(os.environ.get("BLINDFOLD_LOCKS", "/tmp/blindfold-devices"))


@contextmanager
def lease(
    number: int, stopped: Callable[[], bool] = lambda: False, poll_s: float = 0.2
) -> Iterator[tuple[list[Device], list[int]]]:
    """Wait for ``number`` devices and yield them and the file descriptors that hold them.

    The descriptors are handed to the child, so that a device stays leased as long as anything
    computes on it, even if the supervisor is killed. Devices that a scheduler gave are locked
    too: several runs may share what it gave. Where there are fewer devices than asked for, none
    are leased.

    Parameters
    ----------
    number
        Devices asked for; 0 gives none.
    stopped
        Asked while waiting; True ends the wait with no devices.
    poll_s
        Seconds between two tries.

    Raises
    ------
    HostFault
        Where the machine does not say in time which devices it has.
    """
    devices = visible_devices() if number else []
    if len(devices) < number or number == 0:
        yield [], []
        return
    with ExitStack() as stack:
        held: list[tuple[Device, int]] = []
        while len(held) < number and not stopped():
            held = _lock_devices(devices, number)
            if not held:
                time.sleep(poll_s)
        for _, descriptor in held:
            stack.callback(os.close, descriptor)
        yield [device for device, _ in held], [descriptor for _, descriptor in held]


def _lock_devices(devices: list[Device], number: int) -> list[tuple[Device, int]]:
    """Lock ``number`` devices at once, or none of them."""
    folder = lock_folder()
    with suppress(FileExistsError):
        folder.mkdir(parents=True)
        folder.chmod(0o1777)  # for every user
    held: list[tuple[Device, int]] = []
    for device in devices:
        descriptor = _open_lock(folder / f"{device.name.replace('/', '_')}.lock")
        try:
            fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
            held.append((device, descriptor))
        except BlockingIOError:
            os.close(descriptor)
        if len(held) == number:
            return held
    for _, descriptor in held:
        os.close(descriptor)
    return []


def _open_lock(path: Path) -> int:
    """Open a lock file, which may be another user's; to lock it, reading is enough."""
    flags = os.O_RDONLY | os.O_NOFOLLOW | os.O_CLOEXEC
    while True:
        try:
            descriptor = os.open(path, flags)
        except FileNotFoundError:
            with suppress(FileExistsError):
                descriptor = os.open(path, flags | os.O_CREAT | os.O_EXCL, 0o644)
                os.fchmod(descriptor, 0o644)
                return descriptor
            continue
        if not stat.S_ISREG(os.fstat(descriptor).st_mode):
            os.close(descriptor)
            raise OSError(errno.EINVAL, "a device lock is no regular file", str(path))
        return descriptor
