"""Every planned run."""

from __future__ import annotations

import pandas as pd

from blindfold.compare import columns
from blindfold.compare.benchmark import Benchmark
from blindfold.compare.columns import Column

TITLE, ORDER, FILTERS = "Runs", 40, ["status", "dataset"]
NOTE = "Every planned run, with how it ended and why. A failure is a row, never a gap."
COLUMNS = {
    **columns.RUN,
    "status": Column(
        "ok, invalid, crash, oom, timeout, killed or unavailable (does not apply)", "Status"
    ),
    "reason": Column("why it did not end ok", "Reason"),
    "n_clusters": Column("clusters found", "Clusters"),
    "wall_s": Column("wall-clock time, start of the interpreter included", "Wall", "s", 1),
    "cpu_s": Column("processor time of the process tree", unit="s"),
    "fit_s": Column("time inside the method's fit, snapshots not counted", unit="s"),
    "peak_rss_mb": Column("largest resident memory of the process tree", "Memory", "MiB", 0),
    "peak_gpu_mb": Column("largest memory on the device", unit="MiB"),
    "device": Column("what computed", "Device"),
    "threads": Column("threads of every library"),
    "attempt": Column("number of the attempt that is recorded", "Attempt"),
    "exit": Column("exit status of the process"),
    "sandbox": Column(
        "the wall that the method ran behind; unprotected where there was none", "Protection"
    ),
    "started": Column("when it began, UTC"),
    "ended": Column("when it ended, UTC"),
    "lease": Column("devices that were lent to it", "Lease"),
    "job_id": Column("its number at the scheduler"),
    "k_rule": Column("where its number of clusters came from"),
    "derived_seed": Column("the seed that the method got"),
    "params": Column("its parameters, as JSON"),
}


def build(benchmark: Benchmark) -> pd.DataFrame:
    """Return one row per planned run, with what its record says."""
    return benchmark.runs[list(COLUMNS)]
