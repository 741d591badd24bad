"""A matrix that stays on disk goes through both steps in blocks, to the same bytes."""

import tracemalloc

import anndata
import numpy as np
import pandas as pd
import pytest
import scipy.sparse as sp

from benchmarks.prepare import blocks as synthetic
from blindfold.blind import shuffle
from blindfold.blind.blind import blind
from blindfold.core import blocks
from blindfold.core.datasets import DatasetCard
from blindfold.core.layout import Layout
from blindfold.prepare.prepare import prepare
from blindfold.prepare.readers import h5ad
from tests.prepare.conftest import CARD, record


def large_cells(cells, genes):
    counts = sp.vstack(list(synthetic(cells, genes, 0.1)), format="csr")
    obs = pd.DataFrame(
        {"kind": [f"kind-{i * 3 // cells}" for i in range(cells)]},
        index=[f"n{i}" for i in range(cells)],
    )
    return anndata.AnnData(counts, obs=obs, var=pd.DataFrame(index=[f"g{i}" for i in range(genes)]))


@pytest.mark.parametrize("form", ["sparse", "dense"])
def test_disk_or_memory_makes_no_difference(tmp_path, monkeypatch, form):
    adata = large_cells(500, 40)
    expected = adata.X.toarray()
    if form == "dense":
        adata.X = expected
    adata.write_h5ad(tmp_path / "a.h5ad")
    card = DatasetCard.model_validate({**CARD, "quality": {"min_genes": 2, "min_cells": 3}})
    written = []
    for limit in (h5ad.IN_MEMORY, 10):
        monkeypatch.setattr(h5ad, "IN_MEMORY", limit)
        monkeypatch.setattr(blocks, "BLOCK", 40 * 37)
        at = Layout(tmp_path / f"r{limit}")
        record(at, "small", [("small/a.h5ad", "cells", tmp_path / "a.h5ad")])
        prepare("small", card, at)
        blind("small", card, at, 0)
        written.append([at.prepared("small").read_bytes(), at.input("small").read_bytes()])
    assert written[0] == written[1]
    shown = anndata.read_h5ad(at.input("small"))
    hidden = pd.read_parquet(at.truth("small"))
    assert set(hidden.original) == set(adata.obs_names[(expected > 0).sum(axis=1) >= 2])
    rows = adata.obs_names.get_indexer(hidden.original)
    genes = adata.var_names.get_indexer(shown.var_names)
    np.testing.assert_array_equal(shown.X.toarray(), expected[rows][:, genes])


def test_memory_stays_far_below_the_matrix(tmp_path, monkeypatch):
    """3 million values, 24 MB as sparse rows; a block has 2 % of them."""
    adata = large_cells(30_000, 1_000)
    size = adata.X.data.nbytes + adata.X.indices.nbytes
    adata.write_h5ad(tmp_path / "a.h5ad")
    del adata
    monkeypatch.setattr(h5ad, "IN_MEMORY", 1000)
    monkeypatch.setattr(blocks, "BLOCK", 600_000)
    monkeypatch.setattr(shuffle, "SPOOL", 2**20)
    card, at = DatasetCard.model_validate(CARD), Layout(tmp_path / "r")
    record(at, "small", [("small/a.h5ad", "cells", tmp_path / "a.h5ad")])
    for step in (lambda: prepare("small", card, at), lambda: blind("small", card, at, 0)):
        tracemalloc.start()
        step()
        _, peak = tracemalloc.get_traced_memory()
        tracemalloc.stop()
        # names and labels of the cells are in memory
        assert peak < size * 0.75
