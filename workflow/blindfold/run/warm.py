"""Compile numba kernels once, at installation."""

from __future__ import annotations

import os
import subprocess
import sys

from blindfold.run.child import WARM_NUMBA

_USE = """
import numpy as np, scipy.sparse as sp, anndata as ad, scanpy as sc
counts = sp.csr_matrix(np.random.default_rng(0).poisson(1.0, (60, 40)).astype(np.float32))
for flavor in ("seurat", "seurat_v3"):
    data = ad.AnnData(counts.copy())
    if flavor == "seurat":
        sc.pp.normalize_total(data)
        sc.pp.log1p(data)
    sc.pp.highly_variable_genes(data, n_top_genes=20, flavor=flavor, span=1)
"""


def warm() -> str:
    """Fill the cache of compiled kernels in the environment's own folder and say where it is."""
    env = {**os.environ, "NUMBA_CACHE_DIR": str(WARM_NUMBA)}
    subprocess.run([sys.executable, "-W", "ignore", "-c", _USE], env=env, check=True)
    return f"compiled kernels: {WARM_NUMBA}"
