"""Checks a results folder that a scheduler made: job ids, leases, and one run per device."""

from __future__ import annotations

import json
import sys
from itertools import pairwise
from pathlib import Path


def lease_problems(records: list[dict]) -> list[str]:
    """Return runs without a device, and devices with two runs at a time, a line each."""
    found = []
    ran = [record for record in records if record["status"] != "unavailable"]
    for record in ran:
        name = f"{record['dataset']}/{record['method']}/{record['seed']}"
        if not record["lease"]:
            found.append(f"{name}: no device leased")
        if record["status"] != "ok":
            found.append(f"{name}: {record['status']}: {record['reason']}")
    places = {(r["scheduler"]["node"], device) for r in ran for device in r["lease"]}
    for node, device in sorted(places):
        held = sorted(
            (r["started"], r["ended"])
            for r in ran
            if r["scheduler"]["node"] == node and device in r["lease"]
        )
        for (_, ended), (started, _) in pairwise(held):
            if started < ended:
                found.append(f"two runs on device {device} of {node} at {started}")
    return found


def job_problems(records: list[dict]) -> list[str]:
    """Return runs without a job id, a line each."""
    return [
        f"{record['dataset']}/{record['method']}/{record['seed']}: no job id"
        for record in records
        if record["scheduler"]["name"] != "slurm" or not record["scheduler"]["job_id"]
    ]


def main(results: Path) -> int:
    """Print the problems and a summary; return 1 where there are any."""
    records = [json.loads(path.read_text()) for path in results.glob("runs/*/*/*/*/run.json")]
    if not (results / "report" / "index.html").exists():
        print(f"{results}: no report")
        return 1
    found = lease_problems(records) + job_problems(records)
    devices = {device for record in records for device in record["lease"]}
    jobs = {record["scheduler"]["job_id"] for record in records}
    print("\n".join(found))
    print(
        f"{len(records)} runs, {len(jobs)} jobs, devices {sorted(devices)}, {len(found)} problems"
    )
    return int(bool(found) or not records)


if __name__ == "__main__":
    sys.exit(main(Path(sys.argv[1])))
