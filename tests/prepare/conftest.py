"""Small cells, and the packaged ones."""

from importlib.util import find_spec
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from blindfold.core import io
from blindfold.core.datasets import DatasetCard
from blindfold.core.layout import Layout

PACKAGED = Path(find_spec("scanpy").origin).parent / "datasets/10x_pbmc68k_reduced.h5ad"


def log_normalised(counts, totals, target_sum=10_000.0, digits=3):
    """Return the h5ad content that scanpy's tutorials would leave of these counts."""
    import anndata
    import scipy.sparse as sp

    values = np.log1p(counts * target_sum / totals[:, None]).round(digits).astype(np.float32)
    obs = pd.DataFrame(
        {"n_counts": totals.astype(np.float32), "kind": ["a", "b", "c"] * (len(counts) // 3)},
        index=[f"cell{i}" for i in range(len(counts))],
    )
    adata = anndata.AnnData(sp.csr_matrix(values), obs=obs)
    adata.raw = adata
    return adata


def small_counts():
    """Return an AnnData of 30 cells x 12 genes with kinds and sites."""
    import anndata
    import scipy.sparse as sp

    counts = sp.csr_matrix(1 + np.random.default_rng(0).poisson(2.0, (30, 12)).astype(np.float32))
    obs = pd.DataFrame(
        {"kind": ["a", "b", "c"] * 10, "site": ["x", "y"] * 15},
        index=[f"cell{i}" for i in range(30)],
    )
    return anndata.AnnData(counts, obs=obs, var=pd.DataFrame(index=[f"g{i}" for i in range(12)]))


CARD = {
    "title": "Small", "organism": "o", "tissue": "t", "technology": "t", "modality": "scrna",
    "paper": "p", "licence": "l", "reader": "h5ad", "label": "kind",
    "files": [{"path": "small/a.h5ad", "role": "cells", "url": "http://x"}],
}  # fmt: skip


def record(at, dataset, files):
    """Write what `fetch` would leave of raw files that lie at known places: path, role, place."""
    rows = [
        {"path": path, "role": role, "sha256": io.sha256(place), "location": str(place)}
        for path, role, place in files
    ]
    io.write_json(at.fetched(dataset), rows)


@pytest.fixture
def real_cells():
    return {"cells": PACKAGED}


@pytest.fixture
def at(tmp_path):
    return Layout(tmp_path / "results")


@pytest.fixture
def small(tmp_path, at):
    """Return a function that writes a raw h5ad, its record, and gives its card ``small``."""

    def make(raw=None, others=(), **differs):
        place = tmp_path / "a.h5ad"
        (small_counts() if raw is None else raw).write_h5ad(place)
        record(at, "small", [("small/a.h5ad", "cells", place), *others])
        return DatasetCard.model_validate({**CARD, **differs})

    return make
