"""One device, one run."""

import multiprocessing
import subprocess
import time

import pytest

from blindfold.run.lease import lease, scheduler, visible_devices


@pytest.fixture(autouse=True)
def _machine(monkeypatch, tmp_path):
    monkeypatch.setenv("BLINDFOLD_GPUS", "0,1")
    monkeypatch.setenv("BLINDFOLD_LOCKS", str(tmp_path))
    for name in ("SLURM_JOB_ID", "CUDA_VISIBLE_DEVICES"):
        monkeypatch.delenv(name, raising=False)


def test_none_asked_for_none_given():
    with lease(0) as (devices, fds):
        assert (devices, fds) == ([], [])


def test_two_leases_never_share_a_device():
    with lease(1) as (one, _), lease(1) as (two, _):
        assert sorted(one + two) == ["0", "1"]


def test_more_than_there_are_gives_none():
    with lease(3) as (devices, _):
        assert devices == []


def hold(number: int, queue) -> None:
    with lease(number) as (devices, _):
        queue.put((time.monotonic(), devices))
        time.sleep(0.6)
        queue.put((time.monotonic(), devices))


def test_a_lease_waits_for_another_process():
    queue = multiprocessing.Queue()
    first = multiprocessing.Process(target=hold, args=(2, queue))
    first.start()
    began, _ = queue.get(timeout=10)
    with lease(1) as (devices, _):
        assert time.monotonic() - began > 0.5
        assert len(devices) == 1
    first.join()


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


def test_a_scheduler_decides(monkeypatch):
    monkeypatch.delenv("BLINDFOLD_GPUS")
    monkeypatch.setenv("SLURM_JOB_ID", "77")
    monkeypatch.setenv("CUDA_VISIBLE_DEVICES", "3")
    assert scheduler()["name"] == "slurm"
    assert scheduler()["job_id"] == "77"
    assert visible_devices() == ["3"]
    with lease(1) as (devices, fds):
        assert (devices, fds) == (["3"], [])
