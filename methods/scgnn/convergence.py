"""When the rounds end: on the method's own partition and graph, never on a label."""

from __future__ import annotations

import numpy as np
import scipy.sparse as sp

from methods.shared.graphs.weights import normalized_adjacency


def by_columns(graph: sp.csr_matrix) -> sp.csr_matrix:
    """Divide columns by their sums; columns without edges stay empty."""
    total = np.asarray(graph.sum(axis=0)).ravel()
    return sp.csr_matrix(graph @ sp.diags_array(1.0 / np.where(total > 0, total, 1.0)))


def graph_change(first: sp.csr_matrix, before: sp.csr_matrix | None, now: sp.csr_matrix) -> float:
    """
    Change of the blended graph between rounds, relative to the first graph.

    The blend is (L + P_t) / 2, with L the normalised first graph and P_t the present one divided
    by column sums; L cancels from the second round on, and the first compares with L itself.

    Parameters
    ----------
    first
        Graph before the first round.
    before
        Graph of the round before; None in the first.
    now
        Present graph.

    Returns
    -------
    mean |change| / mean |L| over all pairs; 0 where the first graph has no edge.
    """
    reference = normalized_adjacency(first)
    past = reference if before is None else by_columns(before)
    scale = np.abs(reference.data).sum(dtype=np.float64)
    moved = np.abs((by_columns(now) - past).data).sum(dtype=np.float64)
    return float(0.5 * moved / scale) if scale > 0 else 0.0


def stops(rule: str, partition_rests: bool, graph_rests: bool) -> bool:
    """Say whether what `rule` names has come to rest: celltype, graph, either or both."""
    return {
        "celltype": partition_rests,
        "graph": graph_rests,
        "either": partition_rests or graph_rests,
        "both": partition_rests and graph_rests,
    }[rule]
