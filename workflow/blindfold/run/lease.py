"""One run per device: a lock file for each device of this machine, or what a scheduler gave."""

from __future__ import annotations

import os
import shutil
import socket
import subprocess
import tempfile
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import IO, Any

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


def visible_devices() -> list[str]:
    """Return the devices of this machine or job: ``BLINDFOLD_GPUS``, the scheduler's, or all."""
    for variable in ("BLINDFOLD_GPUS", "CUDA_VISIBLE_DEVICES"):
        if variable in os.environ:
            return [name for name in os.environ[variable].split(",") if name.strip()]
    if shutil.which("nvidia-smi") is None:
        return []
    query = ["nvidia-smi", "--query-gpu=index", "--format=csv,noheader"]
    answer = subprocess.run(query, capture_output=True, text=True, timeout=60)
    return answer.stdout.split() if answer.returncode == 0 else []


def lock_folder() -> Path:
    """Return the host's folder of device locks; it must lie on a local disk."""
    fallback = Path(tempfile.gettempdir()) / f"blindfold-devices-{os.getuid()}"
    return Path(os.environ.get("BLINDFOLD_LOCKS", fallback))


@contextmanager
def lease(
    number: int, stopped: Callable[[], bool] = lambda: False, poll_s: float = 0.2
) -> Iterator[tuple[list[str], list[int]]]:
    """Wait for ``number`` devices and yield their names and the file descriptors that hold them.

    The descriptors are handed to the child, so that a device stays leased as long as anything
    computes on it, even if the supervisor is killed. Under a scheduler, the devices that it gave
    are used without a lock. Where there are fewer devices than asked for, none are leased.

    Parameters
    ----------
    number
        Devices asked for; 0 gives none.
    stopped
        Asked while waiting; True ends the wait with no devices.
    poll_s
        Seconds between two tries.
    """
    devices = visible_devices() if number else []
    if len(devices) < number or number == 0:
        yield [], []
    elif scheduler()["name"] != "local":
        yield devices[:number], []
    else:
        with ExitStack() as stack:
            held: list[tuple[str, IO[str]]] = []
            while len(held) < number and not stopped():
                held = _lock_devices(devices, number)
                if not held:
                    time.sleep(poll_s)
            for _, handle in held:
                stack.enter_context(handle)
            yield [device for device, _ in held], [handle.fileno() for _, handle in held]


def _lock_devices(devices: list[str], number: int) -> list[tuple[str, IO[str]]]:
    """Lock ``number`` devices at once, or none of them."""
    import fcntl

    folder = lock_folder()
    folder.mkdir(parents=True, exist_ok=True)
    held: list[tuple[str, IO[str]]] = []
    for device in devices:
        handle = (folder / f"{device.replace('/', '_')}.lock").open("a")
        try:
            fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
            held.append((device, handle))
        except BlockingIOError:
            handle.close()
        if len(held) == number:
            return held
    for _, locked in held:
        locked.close()
    return []
