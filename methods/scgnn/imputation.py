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


def completed(
    counts: sp.csr_matrix, genes: np.ndarray, output: Output, depth: np.ndarray
) -> RowBlocks:
    """
    Put imputed genes, taken back to counts, among the others, which stay as they came.

    Parameters
    ----------
    counts
        cells x genes.
    genes
        Columns that were imputed.
    output
        Says log(1 + count / depth) of these genes.
    depth
        What the counts of each cell were divided by, cells.

    Returns
    -------
    cells x genes on the scale of the counts, float32, block by block.
    """

    def rows(chosen: slice) -> np.ndarray:
        block = sp.csr_matrix(counts[chosen]).toarray()
        scaled = np.expm1(output.reconstruct(chosen).cpu().numpy())
        block[:, genes] = scaled * depth[chosen, None]
        return block

    return RowBlocks(counts.shape[0], rows)
