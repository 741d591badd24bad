"""Prepared cells, blinded with entries held out."""

import anndata
import numpy as np
import pandas as pd
import scipy.sparse as sp

from blindfold.blind.blind import blind
from blindfold.core import io
from blindfold.core.datasets import DatasetCard
from blindfold.core.layout import Layout
from tests.blind.conftest import CARD

MASK = {"share": 0.2, "genes": 30}


def sparse_cells(cells=150, genes=50, seed=0):
    """Return prepared cells with many zeros, genes of unlike variance."""
    rng = np.random.default_rng(seed)
    counts = rng.poisson(rng.gamma(0.6, 1.5, genes), (cells, genes)).astype(np.float32)
    counts[np.arange(cells), rng.integers(genes, size=cells)] += 1
    obs = pd.DataFrame({"kind": ["a", "b"] * (cells // 2)}, index=[f"o{i}" for i in range(cells)])
    adata = anndata.AnnData(sp.csr_matrix(counts), obs=obs)
    adata.var_names = [f"G{i}" for i in range(genes)]
    adata.obsm["spatial"] = rng.random((cells, 2))
    adata.uns["blindfold"] = {"unit": "micrometre", "pitch": 1.0, "technology": "chip"}
    return adata


def masked_files(adata, folder, seed=0, mask=MASK):
    at = Layout(folder)
    at.prepared("tiny").parent.mkdir(parents=True)
    adata.write_h5ad(at.prepared("tiny"))
    io.write_json(at.fetched("tiny"), [{"path": "a", "role": "r", "sha256": "5" * 64}])
    blind("tiny", DatasetCard.model_validate({**CARD, "batch": None, "mask": mask}), at, seed)
    return at
