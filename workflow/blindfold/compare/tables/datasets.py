"""The datasets of the plan."""

from __future__ import annotations

import pandas as pd

from blindfold.compare.benchmark import Benchmark
from blindfold.compare.columns import Column

TITLE, ORDER = "Datasets", 90
_FACTS = {
    "title": Column("what it is", "Title"),
    "modality": Column("scrna or spatial", "Modality"),
    "technology": Column("how it was measured", "Technology"),
    "licence": Column("terms of the data", "Licence"),
    "cells": Column("cells or spots after preparation", "Cells"),
    "genes": Column("genes after preparation", "Genes"),
    "labelled": Column("cells with a class", "Labelled"),
    "n_clusters": Column("classes among them", "Classes"),
}
COLUMNS = {
    "dataset": Column("name of the dataset", "Dataset"),
    "status": Column("ok, missing (a step did not finish) or unavailable", "Status"),
    "reason": Column("why it is not there", "Reason"),
    **_FACTS,
}
_WHOLE = ["cells", "genes", "labelled", "n_clusters"]


def build(benchmark: Benchmark) -> pd.DataFrame:
    """Return one row per planned dataset; one that could not be had says so."""
    rows = []
    for dataset, planned in benchmark.plan.datasets.items():
        card = {"title": planned.title, "modality": planned.modality, "licence": planned.licence}
        facts = benchmark.dataset_facts(dataset)
        status = "ok" if facts else "missing"
        reason = None if facts else "no card.json: fetch, prepare or blind did not finish"
        known = {name: (card | facts).get(name) for name in _FACTS}
        rows.append({"dataset": dataset, "status": status, "reason": reason, **known})
    for dataset, reason in benchmark.plan.unavailable.items():
        rows.append({"dataset": dataset, "status": "unavailable", "reason": reason})
    return pd.DataFrame(rows, columns=list(COLUMNS)).astype(dict.fromkeys(_WHOLE, "Int64"))
