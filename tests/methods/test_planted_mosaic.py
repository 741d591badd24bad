"""On the planted mosaic coordinates lift spatial graph methods above PCA + k-means."""

from __future__ import annotations

import dataclasses
from functools import cache
from importlib.util import find_spec
from pathlib import Path

import numpy as np
import pytest
import scipy.sparse as sp
from sklearn.metrics import adjusted_rand_score

from blindfold.core.datasets import dataset_card
from blindfold.prepare.geometry import pitch
from blindfold.prepare.readers import reader
from methods.contract import Data, Job
from tests.methods.toys import NAMES, card, run

CELLS = Path(find_spec("scanpy").origin).parent / "datasets/10x_pbmc68k_reduced.h5ad"
TRAINED = [
    n for n in NAMES if "epochs" in card(n)["parameters"] and "coordinates" in card(n)["needs"]
]
# enough to be ahead: about a minute a method on one core
EPOCHS = {
    "graphcvae": 50, "graphst": 300, "multist": 40, "spatial_mgcn": 50, "stagate": 60, "stmfg": 40,
}  # fmt: skip


@cache
def mosaic() -> tuple[Data, np.ndarray]:
    """Return the tissue as `prepare` makes it, without its image, and its domains."""
    described = dataset_card("mosaic").model_copy(update={"image": False})
    made = reader("mosaic")({"cells": CELLS}, described.options, described)
    counts = sp.csr_matrix(made.X, dtype=np.float32)
    genes = made.var_names.to_numpy(dtype=str)
    domains = np.unique(made.obs["domain"], return_inverse=True)[1]
    return Data(counts, genes, made.obsm["spatial"], pitch(made.obsm["spatial"])), domains


@cache
def score(name: str, seed: int, torn: bool = False) -> float:
    """Return the ARI of the default variant, K given, at its coordinates or at shuffled ones."""
    data, domains = mosaic()
    if torn:
        order = np.random.default_rng(seed).permutation(data.n_cells)
        data = dataclasses.replace(data, coordinates=data.coordinates[order])
    epochs = EPOCHS.get(name, 100)
    job = Job(seed, len(np.unique(domains)))
    found = run(name, data, job, epochs=epochs, cluster_epochs=epochs)
    return float(adjusted_rand_score(domains, found.clusters))


@pytest.mark.slow
@pytest.mark.parametrize("name", TRAINED)
def test_coordinates_help(name):
    """Median of three seeds above PCA + k-means, and above both seeds at shuffled coordinates."""
    ours, plain = ([score(method, seed) for seed in range(3)] for method in (name, "pca_kmeans"))
    torn = [score(name, seed, torn=True) for seed in range(2)]
    print(f"{name}: {ours}, at shuffled coordinates {torn}, PCA + k-means {plain}")
    assert np.median(ours) > np.median(plain)
    assert np.median(ours) > max(torn)
