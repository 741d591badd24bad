"""From counts, positions and image to features and graphs."""

from __future__ import annotations

from typing import Any, NamedTuple

import numpy as np
import scipy.sparse as sp

from methods.contract import Data
from methods.shared.graphs.weights import (
    gathering,
    normalized_adjacency,
    row_normalized,
    symmetrized,
    with_loops,
)
from methods.shared.image.spots import image_components

from .augment import profiles, similarity

IMAGE_COMPONENTS = 50


class Inputs(NamedTuple):
    """What the network sees."""

    features: sp.csr_matrix  # spots x genes, float32
    propagation: sp.csr_matrix  # spots x spots
    readout: sp.csr_matrix | None  # averages over each spot and its neighbours; None: identity
    notes: dict[str, Any]


def propagation(graph: sp.csr_matrix, kind: str) -> sp.csr_matrix:
    """
    Normalise a directed neighbour graph with loops.

    Parameters
    ----------
    graph
        K, 0/1, row i having ones at the neighbours of i.
    kind
        ``directed``: D^-1/2 (K + I)^T D^-1/2 with D the column sums, so that a spot averages over
        those that chose it; ``symmetric``: the same with either direction kept.
    """
    if kind == "symmetric":
        graph = symmetrized(graph)
    looped = with_loops(graph)
    return normalized_adjacency(looped) if kind == "symmetric" else gathering(looped)


def edge_weights(
    data: Data, candidates: sp.csr_matrix, use_image: bool, rng: np.random.Generator
) -> tuple[np.ndarray, dict[str, Any]]:
    """
    Compare every spot with its candidates by expression and, where it is used, by the image.

    Parameters
    ----------
    data
        Counts, coordinates and perhaps an image.
    candidates
        Edges.
    use_image
        Whether the image, or its features, count where there are any.
    rng
        Source of the decomposition's start.

    Returns
    -------
    Correlation of counts times cosine of the image, that not below 0, one value per edge; and
    what is to be noted.
    """
    weights = similarity(profiles(data.counts, rng), candidates, centred=True)
    if not use_image:
        return weights, {"image": "not used"}
    around, notes = image_components(data, IMAGE_COMPONENTS)
    if around is not None:
        weights *= np.maximum(similarity(around, candidates, centred=False), 0.0)
    return weights, notes


def readout(graph: sp.csr_matrix, kind: str) -> sp.csr_matrix | None:
    """Average over each spot and its neighbours in either direction; None for the identity."""
    if kind == "identity":
        return None
    return row_normalized(with_loops(symmetrized(graph)))
