"""Smoothing of a finished partition by spreading labels to the spots around."""

from __future__ import annotations

import numpy as np
import scipy.sparse as sp

from methods.shared.graphs.sections import section_knn

STEPS = 10
ANCHORS = 0.01


def heat_weights(graph: sp.csr_matrix, coordinates: np.ndarray) -> sp.csr_matrix:
    """
    Weigh edges by ``exp(-d^2 / s^2)``, s being their median length.

    Parameters
    ----------
    graph
        Row i has entries at the spots near i, spots x spots, no loops.
    coordinates
        Positions, spots x 2.
    """
    row = np.repeat(np.arange(graph.shape[0]), np.diff(graph.indptr))
    square = ((coordinates[row] - coordinates[graph.indices]) ** 2).sum(axis=1)
    middle = float(np.median(np.sqrt(square))) ** 2 if square.size else 0.0
    weight = np.exp(-square / (middle or 1.0))
    return sp.csr_matrix((weight, graph.indices, graph.indptr), graph.shape)


def anchors(weights: sp.csr_matrix, labels: np.ndarray) -> np.ndarray:
    """Mark the hundredth of every class, at least one spot, with the most weight on their own."""
    row = np.repeat(np.arange(len(labels)), np.diff(weights.indptr))
    same = labels[row] == labels[weights.indices]
    support = np.bincount(row[same], weights=weights.data[same], minlength=len(labels))
    held = np.zeros(len(labels), dtype=bool)
    for label in np.unique(labels):
        members = np.flatnonzero(labels == label)
        best = np.argsort(-support[members], kind="stable")
        held[members[best[: max(int(ANCHORS * len(members)), 1)]]] = True
    return held


def averaged_memberships(weights: sp.csr_matrix, labels: np.ndarray) -> np.ndarray:
    """
    Average memberships over the spots around, ten times; anchors keep theirs.

    Parameters
    ----------
    weights
        Row i weighs the spots near i; a spot without weights keeps its membership.
    labels
        Classes, spots.

    Returns
    -------
    Class of the largest membership, the first of equal ones.
    """
    classes, codes = np.unique(labels, return_inverse=True)
    membership = np.eye(len(classes))[codes]
    total = np.asarray(weights.sum(axis=1)).ravel()
    still = anchors(weights, labels) | (total == 0)
    average = sp.diags_array(1 / np.where(total > 0, total, 1.0)) @ weights
    for _ in range(STEPS):
        membership = np.where(still[:, None], membership, average @ membership)
    return classes[membership.argmax(axis=1)]


def spread_labels(
    clusters: np.ndarray,
    coordinates: np.ndarray,
    k: int,
    pitch: float | None,
    batch: np.ndarray | None,
) -> np.ndarray:
    """
    Smooth a partition over the k nearest spots of each section; k = 0 changes nothing.

    Parameters
    ----------
    clusters
        One per spot.
    coordinates
        Positions, spots x 2.
    k
        Nearest spots.
    pitch
        Median nearest distance; measured when None.
    batch
        Section of every spot; None where there is one.
    """
    if not k:
        return clusters
    graph = section_knn(coordinates, k, pitch, batch)
    return averaged_memberships(heat_weights(graph, coordinates), clusters)
