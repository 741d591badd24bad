"""How much memory methods take above 5,000 cells: a run at 5,000 and one at 20,000."""

from __future__ import annotations

from tests.methods.toys import NAMES, card, modalities
from tests.methods.watch import watched

TRAINED = [name for name in NAMES if "epochs" in card(name)["parameters"]]
IN_BLOCKS = ["gene_mean", "neighbour_mean", "diffusion", "banksy"]
GENES = 1000
FEW = 5001  # the least that must do without dense arrays
MANY = 4 * FEW
SHORT = {
    "epochs": 1, "cluster_epochs": 1, "graph_epochs": 1, "iterations": 1, "n_genes": GENES,
    "width": 300, "kmeans_starts": 1,
}  # fmt: skip


def grows_with_the_cells(name: str, modality: str, **changes: object) -> None:
    """At most 4.5 times from 5,000 to 20,000 cells; no cells x cells, no cells x genes."""
    settings = {**SHORT, **changes}
    imputes = "imputation" in card(name)["tasks"]  # all genes, in blocks of cells
    times = 10 if imputes else 20  # as many genes again that are not chosen
    variants = ["described"] if changes else list(card(name)["variants"])
    few, many = watched(name, modality, variants, [FEW, MANY], GENES, times, **settings)
    assert few["grown_mb"] < FEW * GENES * times * 4 / 2**20  # one dense float32 array
    assert many["grown_mb"] < 4.5 * few["grown_mb"]
    assert many["grown_mb"] < 2560  # with the idle process 3 GiB
    for cells, found in ((FEW, few), (MANY, many)):
        assert found["tensor"] < cells * GENES
        assert found["dense"] < (FEW * GENES * times / 8 if imputes else cells * GENES)


def asked(modality: str) -> list[str]:
    """Return the methods to look at on cells or on tissues."""
    return [name for name in TRAINED + IN_BLOCKS if modality in modalities(name)]
