"""From counts and neighbours to features and a propagation matrix."""

from __future__ import annotations

import numpy as np
import scipy.sparse as sp

from methods.shared.graphs.weights import adjacency, normalized_adjacency, symmetrized, with_loops


def propagation(neighbours: np.ndarray, kind: str) -> sp.csr_matrix:
    """
    Normalise the symmetrised graph.

    Parameters
    ----------
    neighbours
        spots x k.
    kind
        ``visium``: D^-1/2 A D^-1/2 + I, the identity added afterwards; ``standard``: the same
        with A + I inside.
    """
    graph = symmetrized(adjacency(neighbours))
    if kind == "visium":
        return with_loops(normalized_adjacency(graph))
    return normalized_adjacency(with_loops(graph))
