"""From counts to z-scores, size factors and neighbours."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
import scipy.sparse as sp

from methods.contract import Params
from methods.shared.expression.counts import (
    Scaled,
    expressed_genes,
    log1p,
    scale_to_total,
    take_genes,
    zscores,
)
from methods.shared.expression.hvg import seurat_genes
from methods.shared.expression.pca import principal_components
from methods.shared.graphs.neighbors import feature_knn
from methods.shared.losses.zinb import ZinbTarget


class Inputs(NamedTuple):
    """What the network sees."""

    scaled: Scaled  # z-scores of the variable genes
    counts: sp.csr_matrix  # their raw counts
    size_factors: np.ndarray
    neighbours: np.ndarray  # cells x k, the cell itself left out
    components: np.ndarray  # in which they are near, cells x d


def prepare(counts: sp.csr_matrix, params: Params) -> Inputs:
    """Normalise to the median library, choose genes, z-score and find neighbours."""
    expressed = expressed_genes(counts)
    normalised, size_factors = scale_to_total(take_genes(counts, expressed), None)
    chosen = seurat_genes(normalised, params.n_genes)
    scaled = zscores(take_genes(log1p(normalised), chosen))
    components = principal_components(scaled.sparse, params.n_components)
    neighbours, _ = feature_knn(components, params.n_neighbors - 1)
    counts = take_genes(counts, expressed[chosen])
    return Inputs(scaled, counts, size_factors, neighbours, components)


def zinb_target(inputs: Inputs, kind: str, device: str) -> ZinbTarget:
    """Use raw counts with size factors, or as released the z-scores, negative ones as zeros."""
    if kind == "counts":
        return ZinbTarget(inputs.counts, inputs.size_factors, device)
    positive = inputs.scaled.sparse.copy()
    positive.data += inputs.scaled.offset[positive.indices].astype(np.float32)
    np.maximum(positive.data, 0, out=positive.data)
    return ZinbTarget(positive, None, device)
