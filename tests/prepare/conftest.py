"""Small cells, and the packaged ones."""

from importlib.util import find_spec
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
import yaml

from blindfold.core import cards

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


@pytest.fixture
def real_cells():
    return {"cells": PACKAGED}


@pytest.fixture
def small_card(tmp_path, monkeypatch):
    """Write a raw file of 30 cells and its card ``small``; return a function that changes it."""
    rng = np.random.default_rng(0)
    counts = 1 + rng.poisson(2.0, (30, 12)).astype(float)
    raw = log_normalised(counts, counts.sum(axis=1) * 3)
    cache, folder = tmp_path / "cache", tmp_path / "cards"
    (cache / "small").mkdir(parents=True)
    folder.mkdir()
    monkeypatch.setattr(cards, "DATASETS", folder)

    def make(change=lambda raw: None, **differs):
        change(raw)
        raw.write_h5ad(cache / "small" / "a.h5ad")
        file = {
            "path": "a.h5ad",
            "role": "cells",
            "sha256": "0" * 64,
            "bytes": 1,
            "url": "http://x",
        }
        card = {
            "title": "Small", "organism": "o", "tissue": "t", "technology": "t",
            "modality": "scrna", "paper": "p", "licence": "l", "files": [file],
            "reader": "log_normalised", "label": "kind",
            "expected": {"cells": 30, "genes": 12, "classes": 3}, **differs,
        }  # fmt: skip
        (folder / "small.yaml").write_text(yaml.safe_dump(card))
        return cache, counts

    return make
