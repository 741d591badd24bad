"""What runs cost."""

from __future__ import annotations

import pandas as pd

from blindfold.compare import columns
from blindfold.compare.benchmark import GROUP, Benchmark
from blindfold.compare.columns import Column

TITLE, ORDER, FILTERS, WITH = "Cost", 60, ["dataset"], "n"
NOTE = (
    "Median over the runs that ended ok: whole process tree, start of the interpreter and imports "
    "included; fit is the method alone."
)
_COSTS = {
    "wall_s": ("wall-clock time of a run", "Wall", "s", 1),
    "cpu_s": ("processor time of its process tree", "CPU", "s", 1),
    "fit_s": ("time inside the method's fit, snapshots not counted", "Fit", "s", 1),
    "peak_rss_mb": ("largest resident memory of its process tree", "Memory", "MiB", 0),
    "peak_gpu_mb": ("largest memory on the device", "GPU memory", "MiB", 0),
}
COLUMNS = {**columns.GROUP, "n": Column("runs that ended ok", "Runs")}
for _name, (_meaning, _heading, _unit, _digits) in _COSTS.items():
    COLUMNS[f"{_name}_median"] = Column(f"median {_meaning}", _heading, _unit, _digits)
    COLUMNS[f"{_name}_max"] = Column(f"largest {_meaning}", unit=_unit)


def build(benchmark: Benchmark) -> pd.DataFrame:
    """Return median and largest cost of the runs that ended ``ok``."""
    runs = benchmark.runs
    ok = runs["status"] == "ok"
    groups = [runs[name] for name in GROUP]
    cost = runs[list(_COSTS)].astype(float).where(ok)
    cost = cost.groupby(groups, sort=True).agg(["median", "max"])
    cost.columns = ["_".join(names) for names in cost.columns]
    cost.insert(0, "n", ok.groupby(groups, sort=True).sum())
    return cost.reset_index()
