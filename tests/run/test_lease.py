"""One device, one run, whatever anybody calls the device."""

from __future__ import annotations

import multiprocessing
import os
import stat
import subprocess
import time
from itertools import pairwise

import pytest

from blindfold.run import devices as machine
from blindfold.run.devices import Device, HostFault, devices_of_the_machine, driver, visible_devices
from blindfold.run.lease import lease, scheduler

TWO = """\
GPU 0: NVIDIA A100-SXM4-40GB (UUID: GPU-aaaa-1)
GPU 1: NVIDIA A100-SXM4-40GB (UUID: GPU-bbbb-2)
"""
PARTS = """\
GPU 0: NVIDIA A100-SXM4-40GB (UUID: GPU-aaaa-1)
  MIG 3g.20gb     Device  0: (UUID: MIG-cccc-3)
  MIG 3g.20gb     Device  1: (UUID: MIG-dddd-4)
GPU 1: NVIDIA A100-SXM4-40GB (UUID: GPU-bbbb-2)
"""
ASKED = """\
Driver Version                            : 570.86.15
CUDA Version                              : 12.8
"""


@pytest.fixture(autouse=True)
def _machine(monkeypatch, tmp_path):
    monkeypatch.setenv("BLINDFOLD_GPUS", "0,1")
    monkeypatch.setenv("BLINDFOLD_LOCKS", str(tmp_path / "locks"))
    for name in ("SLURM_JOB_ID", "KUBERNETES_SERVICE_HOST", "CUDA_VISIBLE_DEVICES"):
        monkeypatch.delenv(name, raising=False)


def pretend(monkeypatch, tmp_path, listing: str, seconds: float = 0) -> None:
    """Put a tool on the path that lists devices as nvidia-smi does."""
    monkeypatch.delenv("BLINDFOLD_GPUS")
    tool = tmp_path / "bin" / "nvidia-smi"
    tool.parent.mkdir()
    (tmp_path / "listing").write_text(listing)
    (tmp_path / "asked").write_text(ASKED)
    tool.write_text(
        f"#!/bin/sh\n{f'exec sleep {seconds}' if seconds else ''}\n"
        f'[ "$1" = -L ] && cat {tmp_path}/listing || cat {tmp_path}/asked\n'
    )
    tool.chmod(0o755)
    monkeypatch.setenv("PATH", f"{tool.parent}:{os.environ['PATH']}")


def names(found) -> list[str]:
    return [device.name for device in found]


def test_none_asked_for_none_given():
    with lease(0) as (devices, fds):
        assert (devices, fds) == ([], [])


def test_two_leases_never_share_a_device():
    with lease(1) as (one, _), lease(1) as (two, _):
        assert sorted(names(one + two)) == ["0", "1"]


def test_more_than_there_are_gives_none():
    with lease(3) as (devices, _):
        assert devices == []


def test_devices_are_known_by_uuid(monkeypatch, tmp_path):
    pretend(monkeypatch, tmp_path, TWO)
    assert names(visible_devices()) == ["GPU-aaaa-1", "GPU-bbbb-2"]
    assert visible_devices()[0].model == "NVIDIA A100-SXM4-40GB"
    assert (driver().driver, driver().cuda) == ("570.86.15", "12.8")


def test_parts_take_the_place_of_the_whole(monkeypatch, tmp_path):
    pretend(monkeypatch, tmp_path, PARTS)
    assert names(devices_of_the_machine()) == ["MIG-cccc-3", "MIG-dddd-4", "GPU-bbbb-2"]
    assert devices_of_the_machine()[1] == Device(
        "MIG-dddd-4", "0:1", "NVIDIA A100-SXM4-40GB MIG 3g.20gb"
    )


@pytest.mark.parametrize(
    ("given", "expected"),
    [
        ("0", ["MIG-cccc-3", "MIG-dddd-4"]),
        ("0:1", ["MIG-dddd-4"]),
        ("1", ["GPU-bbbb-2"]),
        ("GPU-bbbb-2,0:0", ["GPU-bbbb-2", "MIG-cccc-3"]),
        ("GPU-bbbb", ["GPU-bbbb-2"]),
        ("1,GPU-bbbb-2", ["GPU-bbbb-2"]),
        ("MIG-cccc-3", ["MIG-cccc-3"]),
        ("all", ["MIG-cccc-3", "MIG-dddd-4", "GPU-bbbb-2"]),
        ("1,-1,0", ["GPU-bbbb-2"]),
        ("7", []), ("-1", []), ("none", []), ("NoDevFiles", []), ("void", []), ("", []),
    ],
)  # fmt: skip
def test_what_the_environment_names(monkeypatch, tmp_path, given, expected):
    pretend(monkeypatch, tmp_path, PARTS)
    monkeypatch.setenv("CUDA_VISIBLE_DEVICES", given)
    assert names(visible_devices()) == expected


def test_number_and_uuid_are_one_lock(monkeypatch, tmp_path):
    pretend(monkeypatch, tmp_path, TWO)
    monkeypatch.setenv("CUDA_VISIBLE_DEVICES", "1")
    with lease(1) as (one, _):
        monkeypatch.setenv("CUDA_VISIBLE_DEVICES", "GPU-bbbb-2")
        asked = []
        with lease(1, lambda: bool(asked.append(1) or len(asked) > 3), 0.01) as (two, _):
            assert (names(one), two) == (["GPU-bbbb-2"], [])


def test_a_tool_that_hangs_is_a_fault_of_the_host(monkeypatch, tmp_path):
    pretend(monkeypatch, tmp_path, TWO, seconds=5)
    monkeypatch.setattr(machine, "_TIMEOUT_S", 0.2)
    with pytest.raises(HostFault, match="did not answer"), lease(1):
        pass


def hold(number: int, queue, seconds: float = 0.6) -> None:
    with lease(number) as (devices, _):
        began = time.monotonic()
        queue.put(began)
        time.sleep(seconds)
        queue.put((began, time.monotonic(), names(devices)))


def test_a_lease_waits_for_another_process():
    queue = multiprocessing.Queue()
    first = multiprocessing.Process(target=hold, args=(2, queue))
    first.start()
    began = queue.get(timeout=10)
    with lease(1) as (devices, _):
        assert time.monotonic() - began > 0.5
        assert len(devices) == 1
    first.join()


@pytest.mark.parametrize("where", ["this machine", "salloc", "a pod", "index and uuid"])
def test_many_at_once_never_share(monkeypatch, tmp_path, where):
    """Recorded intervals of eight runs on two devices, under whatever started them."""
    pretend(monkeypatch, tmp_path, TWO)
    if where == "salloc":
        monkeypatch.setenv("SLURM_JOB_ID", "77")
        monkeypatch.setenv("CUDA_VISIBLE_DEVICES", "0,1")
    if where == "a pod":
        monkeypatch.setenv("KUBERNETES_SERVICE_HOST", "10.0.0.1")
    queue = multiprocessing.Queue()
    runs = []
    for i in range(8):
        if where == "index and uuid":
            monkeypatch.setenv("CUDA_VISIBLE_DEVICES", "0,1" if i % 2 else "GPU-aaaa-1,GPU-bbbb-2")
        runs.append(multiprocessing.Process(target=hold, args=(1, queue, 0.1)))
        runs[-1].start()
    told = [queue.get(timeout=30) for _ in range(16)]
    for each in runs:
        each.join()
    intervals = sorted(each for each in told if isinstance(each, tuple))
    assert len(intervals) == 8
    for device in ("GPU-aaaa-1", "GPU-bbbb-2"):
        own = [each for each in intervals if each[2] == [device]]
        assert own
        assert all(before[1] <= after[0] for before, after in pairwise(own))


def test_the_child_keeps_the_device_when_the_supervisor_is_gone():
    with lease(2) as (_, fds):
        child = subprocess.Popen(["sleep", "0.8"], pass_fds=fds)
    began = time.monotonic()
    with lease(1):
        assert time.monotonic() - began > 0.4
    child.wait()


def test_a_stop_ends_the_wait():
    with lease(2), lease(1, stopped=lambda: True) as (devices, _):
        assert devices == []


def test_locks_are_for_every_user(tmp_path):
    with lease(1) as (devices, _):
        folder = tmp_path / "locks"
        assert stat.S_IMODE(folder.stat().st_mode) == 0o1777
        assert stat.S_IMODE((folder / f"{devices[0].name}.lock").stat().st_mode) == 0o644


def test_a_lock_that_is_a_link_is_refused(tmp_path):
    (tmp_path / "locks").mkdir()
    (tmp_path / "other").write_text("")
    (tmp_path / "locks" / "0.lock").symlink_to(tmp_path / "other")
    with pytest.raises(OSError, match=r"0\.lock"), lease(2):
        pass


def test_the_scheduler_is_told(monkeypatch):
    monkeypatch.setenv("SLURM_JOB_ID", "77")
    assert scheduler()["name"] == "slurm"
    assert scheduler()["job_id"] == "77"
