"""Prepared cells, and their way through blinding."""

import anndata
import numpy as np
import pandas as pd
import pytest
import scipy.sparse as sp

from blindfold.blind.blind import blind
from blindfold.core import io
from blindfold.core.datasets import DatasetCard
from blindfold.core.layout import Layout

CARD = {
    "title": "Tiny", "organism": "o", "tissue": "t", "technology": "chip", "modality": "spatial",
    "paper": "p", "licence": "l", "reader": "none", "label": "kind", "batch": "site",
    "unit": "micrometre", "files": [{"path": "a", "role": "r", "url": "http://x"}],
}  # fmt: skip


def prepared_cells(cells, seed=0, missing=0):
    """Return prepared cells whose order is sorted by class, as published files often are."""
    rng = np.random.default_rng(seed)
    counts = sp.csr_matrix(1 + rng.poisson(1.0, (cells, 6)).astype(np.float32))
    kinds = np.sort(rng.choice(["alpha", "beta", "gamma"], cells)).astype(object)
    kinds[:missing] = None
    obs = pd.DataFrame(
        {
            "kind": pd.Categorical(kinds),
            "site": pd.Categorical(rng.choice(["Oslo", "Rome"], cells)),
        },
        index=[f"original-{i}" for i in range(cells)],
    )
    adata = anndata.AnnData(counts, obs=obs)
    adata.obsm["spatial"] = rng.random((cells, 2))
    adata.uns["blindfold"] = {
        "unit": "micrometre",
        "pitch": 1.5,
        "technology": "chip",
        "scale": 2.0,
    }
    adata.uns["report"] = {"flaws": {"empty_cells": {"found": 2, "repair": "drop"}}, "quality": {}}
    return adata


@pytest.fixture
def tiny(tmp_path):
    """Return a function that blinds tiny prepared cells into a named results folder."""

    def make(adata, name="r", seed=0, **differs):
        at = Layout(tmp_path / name)
        at.prepared("tiny").parent.mkdir(parents=True)
        adata.write_h5ad(at.prepared("tiny"))
        io.write_json(at.fetched("tiny"), [{"path": "a", "role": "r", "sha256": "5" * 64}])
        blind("tiny", DatasetCard.model_validate({**CARD, **differs}), at, seed)
        return at

    return make
