"""Peak memory and largest arrays of trained and imputing methods above 5,000 cells.

A quadratic array makes sixteen times from 5,000 to 20,000 cells, a linear one four.
"""

from __future__ import annotations

import pytest

from tests.methods.toys import NAMES, card, modalities
from tests.methods.watch import watched

TRAINED = [name for name in NAMES if "epochs" in card(name)["parameters"]]
IN_BLOCKS = ["gene_mean", "neighbour_mean", "diffusion", "banksy"]
GENES = 1000
FEW = 5001  # the least that must do without dense arrays
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
    few = watched(name, modality, variants, FEW, GENES, times, **settings)
    many = watched(name, modality, ["described"], 4 * FEW, GENES, times, **settings)
    assert few["grown_mb"] < FEW * GENES * times * 4 / 2**20  # one dense float32 array
    assert many["grown_mb"] < 4.5 * few["grown_mb"]
    assert many["grown_mb"] < 2560  # with the idle process 3 GiB
    for cells, found in ((FEW, few), (4 * FEW, many)):
        assert found["tensor"] < cells * GENES
        assert found["dense"] < (FEW * GENES * times / 8 if imputes else cells * GENES)


@pytest.mark.slow
@pytest.mark.parametrize(
    ("name", "modality"), [(name, m) for name in TRAINED + IN_BLOCKS for m in modalities(name)]
)
def test_memory_grows_with_the_cells_and_no_array_is_dense(name, modality):
    """Every method that trains or imputes, with all its variants."""
    grows_with_the_cells(name, modality)


@pytest.mark.slow
@pytest.mark.parametrize(
    ("name", "modality", "switch"),
    [("sctag", "scrna", "exact_graph_up_to"), ("stmfg", "spatial", "exact_pairs_up_to")],
)
def test_all_pairs_are_taken_in_blocks(name, modality, switch):
    """Losses over all pairs of 20,000 cells, not over sampled ones."""
    grows_with_the_cells(name, modality, **{switch: 4 * FEW})


@pytest.mark.slow
def test_graphcvae_on_a_hundred_thousand_spots():
    """The largest array is linear in spots."""
    found = watched("graphcvae", "spatial", ["described"], 100_000, 200, epochs=1, kmeans_starts=0)
    assert found["tensor"] <= 100_000 * 768
