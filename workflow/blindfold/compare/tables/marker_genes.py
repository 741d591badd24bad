"""The first marker genes of each class, and of each cluster of the best method."""

from __future__ import annotations

import pandas as pd

from blindfold.compare.benchmark import Benchmark, with_names
from blindfold.compare.columns import Column
from blindfold.compare.representative_run import main_k
from blindfold.compare.tables import deg, ranking

GENES = 8
TITLE, ORDER, FILTERS = "Marker genes", 80, ["dataset"]
NOTE = (
    f"The first {GENES} marker genes (Wilcoxon) of each true class and of each cluster of the "
    "best-ranked method that is no control; all methods in deg.csv."
)
COLUMNS = {
    "dataset": Column("name of the dataset", "Dataset"),
    "source": Column("truth, or the name of the method", "Source"),
    "group": Column("class or cluster", "Group"),
    "matched_class": Column("class that the cluster is matched to", "Matched class"),
    "genes": Column("the first marker genes, best first", "Genes"),
}


def build(benchmark: Benchmark) -> pd.DataFrame:
    """Return one row per dataset, source and group."""
    ranked = with_names(ranking.build(benchmark))
    ranked = ranked[~ranked["control"].astype(bool) & (ranked["ok"] > 0)]
    best = ranked.drop_duplicates("dataset").set_index("dataset")["name"]
    table = with_names(deg.build(benchmark))
    k = {dataset: main_k(benchmark, dataset) for dataset in benchmark.datasets}
    table = table[(table["name"] == "oracle") | (table["k"] == table["dataset"].map(k))].copy()
    table["source"] = table["name"].where(table["name"] != "oracle", "truth")
    shown = (table["source"] == "truth") | (table["name"] == table["dataset"].map(best))
    table = table[shown & (table["rank"] <= GENES)]
    keys = list(COLUMNS)[:-1]
    return table.groupby(keys, sort=False)["gene"].agg(", ".join).rename("genes").reset_index()
