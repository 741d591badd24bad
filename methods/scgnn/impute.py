"""Imputation: what the cells weigh, and the whole matrix it gives."""

from __future__ import annotations

import tempfile

import numpy as np
import scipy.sparse as sp

from methods.shared.preprocess import log1p

from .blocks import DENSE_UP_TO, Output


def cell_weights(
    degree: np.ndarray, clusters: np.ndarray, graph_share: float, cluster_share: float
) -> np.ndarray:
    """
    Weights that equal the graph and cluster terms of the imputation loss, exactly.

    With squared errors E and symmetric A, the sum of all entries of A E is the sum over cells of
    degree times squared error; for B_ij = 1 where clusters agree, of cluster size times it.

    Parameters
    ----------
    degree
        Neighbours of every cell.
    clusters
        Cluster of every cell.
    graph_share, cluster_share
        Weights of the two terms.
    """
    size = np.bincount(clusters)[clusters]
    return graph_share * degree + cluster_share * size


def completed(counts: sp.csr_matrix, genes: np.ndarray, output: Output) -> np.ndarray:
    """
    Put imputed genes among the others, which stay as they came, log(1 + count).

    Returns
    -------
    cells x genes, float32; kept in a temporary file above 5,000 cells.
    """
    full: np.ndarray
    if counts.shape[0] > DENSE_UP_TO:
        with tempfile.TemporaryFile() as file:
            full = np.memmap(file, dtype=np.float32, shape=counts.shape)
    else:
        full = np.empty(counts.shape, dtype=np.float32)
    for start in range(0, len(full), 512):
        rows = slice(start, start + 512)
        full[rows] = log1p(sp.csr_matrix(counts[rows])).toarray()
        full[rows, genes] = output.reconstruct(rows).cpu().numpy()
    return full
