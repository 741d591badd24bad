"""Imputation: what the cells weigh, and the whole matrix it gives."""

from __future__ import annotations

import numpy as np
import scipy.sparse as sp

from methods.shared.expression.row_blocks import RowBlocks

from .blocks import Output


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


def completed(counts: sp.csr_matrix, genes: np.ndarray, output: Output) -> RowBlocks:
    """
    Put imputed genes, taken back from log(1 + count), among the others, which stay as they came.

    Returns
    -------
    cells x genes on the scale of the counts, float32, block by block.
    """

    def rows(chosen: slice) -> np.ndarray:
        block = sp.csr_matrix(counts[chosen]).toarray()
        block[:, genes] = np.expm1(output.reconstruct(chosen).cpu().numpy())
        return block

    return RowBlocks(counts.shape[0], rows)
