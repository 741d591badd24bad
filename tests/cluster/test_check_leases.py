"""The checker of cluster results finds what it must; no cluster is needed for it."""

from tests.cluster.check_leases import job_problems, lease_problems

GOOD = {
    "dataset": "d", "method": "m", "seed": 0, "status": "ok", "reason": None, "lease": ["0"],
    "scheduler": {"name": "slurm", "job_id": "1", "node": "n"},
    "started": "2026-01-01T00:00:00", "ended": "2026-01-01T00:01:00",
}  # fmt: skip


def test_runs_one_after_the_other_on_one_device():
    later = {**GOOD, "started": "2026-01-01T00:01:00", "ended": "2026-01-01T00:02:00"}
    assert lease_problems([GOOD, later]) == []


def test_two_at_a_time_on_one_device():
    overlap = {**GOOD, "started": "2026-01-01T00:00:30", "ended": "2026-01-01T00:02:00"}
    assert "two runs on device 0" in lease_problems([overlap, GOOD])[0]
    assert lease_problems([{**overlap, "lease": ["1"]}, GOOD]) == []


def test_missing_job_id_and_lease():
    local = {**GOOD, "lease": [], "scheduler": {"name": "local", "job_id": None, "node": "n"}}
    assert "no device leased" in lease_problems([local])[0]
    assert "no job id" in job_problems([local])[0]
