"""The metrics that were scored."""

from __future__ import annotations

import pandas as pd

from blindfold.compare.benchmark import Benchmark
from blindfold.compare.columns import Column

TITLE, ORDER, FILTERS = "Metrics", 92, ["task"]
COLUMNS = {
    "metric": Column("its name in the tables", "Metric"),
    "task": Column("what it judges", "Task"),
    "title": Column("what it is", "Title"),
    "direction": Column("higher or lower is better, or none", "Better"),
    "lowest": Column("lowest value there can be; empty: no bound", "Lowest", digits=1),
    "highest": Column("highest value there can be; empty: no bound", "Highest", digits=1),
    "needs": Column("evidence that it is computed from", "Needs"),
    "source": Column("where it was defined", "Source"),
}


def build(benchmark: Benchmark) -> pd.DataFrame:
    """Return one row per metric, by task and name."""
    rows = [
        {"metric": name, **facts, "needs": ", ".join(facts["needs"])}
        for name, facts in benchmark.metrics.items()
    ]
    table = pd.DataFrame(rows, columns=list(COLUMNS))
    return table.sort_values(["task", "metric"], ignore_index=True)
