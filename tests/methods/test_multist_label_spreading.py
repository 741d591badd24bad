"""MultiST's labels spread over neighbouring spots."""

from __future__ import annotations

import numpy as np
import scipy.sparse as sp

from methods.contract import Data, Job
from methods.multist.inputs import neighbor_graph
from methods.multist.label_spreading import (
    anchors,
    averaged_memberships,
    heat_weights,
    spread_labels,
)
from methods.shared.graphs.sections import section_knn
from tests.methods.toys import params, run, tissue

VARIANTS = ["described", "released"]


SHORT = {"epochs": 12, "cluster_epochs": 3, "fusion_epochs": 2}


def test_labels_that_agree_stay():
    """Uniform labels are unchanged; without neighbours all labels are."""
    data, _ = tissue(9)
    same = np.full(81, 4)
    np.testing.assert_array_equal(spread_labels(same, data.coordinates, 7, 100.0, None), same)
    labels = np.random.default_rng(0).integers(3, size=81)
    np.testing.assert_array_equal(spread_labels(labels, data.coordinates, 0, 100.0, None), labels)
    far = data.coordinates[:4] * 1e9 + np.array([[0, 0], [9e9, 0], [0, 8e9], [5e20, 0]])
    np.testing.assert_array_equal(
        spread_labels(np.array([0, 0, 0, 1]), far, 2, 1.0, None), [0, 0, 0, 1]
    )


def test_a_lone_wrong_label_is_corrected_unless_it_is_an_anchor():
    """Inside a domain; the only spot of a class is its anchor and stays."""
    data, _ = tissue(12)
    truth = (data.coordinates[:, 0] > 700).astype(int)
    middle = 6 * 12 + 2
    assert truth[middle] == 0
    wrong = truth.copy()
    wrong[middle] = 1
    found = spread_labels(wrong, data.coordinates, 7, 100.0, None)
    assert found[middle] == 0
    alone = truth.copy()
    alone[middle] = 2
    assert spread_labels(alone, data.coordinates, 7, 100.0, None)[middle] == 2


def test_spreading_is_that_of_dense_arrays():
    """Ten steps of row-normalised weights, anchors put back at each."""
    data, _ = tissue(11)
    labels = np.random.default_rng(0).integers(4, size=121) * 2
    graph = section_knn(data.coordinates, 7, 100.0)
    weights = heat_weights(graph, data.coordinates)
    distance = np.linalg.norm(data.coordinates[:, None] - data.coordinates, axis=2)
    edges = graph.toarray() > 0
    dense = np.exp(-((distance / np.median(distance[edges])) ** 2)) * edges
    np.testing.assert_allclose(weights.toarray(), dense)
    held = anchors(weights, labels)
    support = (dense * (labels[:, None] == labels)).sum(axis=1)
    for label in np.unique(labels):
        members = np.flatnonzero(labels == label)
        assert support[held & (labels == label)] == support[members].max()
    membership = (labels[:, None] == np.unique(labels)).astype(float)
    start = membership.copy()
    for _ in range(10):
        membership = dense @ membership
        membership /= membership.sum(axis=1, keepdims=True)
        membership[held] = start[held]
    expected = np.unique(labels)[membership.argmax(axis=1)]
    np.testing.assert_array_equal(averaged_memberships(weights, labels), expected)


def test_a_hundredth_of_each_class_is_held():
    """The spots with the most weight on their own class."""
    data, _ = tissue(25)
    weights = heat_weights(section_knn(data.coordinates, 7, 100.0), data.coordinates)
    held = anchors(weights, (data.coordinates[:, 0] > 800).astype(int))
    assert held.sum() == sum(
        max(int(0.01 * size), 1) for size in np.bincount(data.coordinates[:, 0] > 800)
    )


def test_refinement_is_what_comes_last():
    """Clusters are the smoothed ones, in both variants; with 0 spots they are the mixture's."""
    data, _ = tissue(9)
    plain = run("multist", data, Job(0, 3), refine=0, **SHORT).clusters
    smooth = run("multist", data, Job(0, 3), **SHORT).clusters
    expected = spread_labels(plain, data.coordinates, 7, data.pitch, None)
    np.testing.assert_array_equal(smooth, expected)
    assert all(params("multist", variant).refine == 7 for variant in VARIANTS)


def test_sections_join_and_spread_within_themselves():
    """Several sections: no edge and no label crosses, though their coordinates overlap."""
    data, _ = tissue(6)
    both = np.concatenate([data.coordinates, data.coordinates + 1.0])
    batch = np.repeat([0, 1], 36)
    joint = Data(sp.csr_matrix(sp.vstack([data.counts] * 2)), data.genes, both, 100.0, batch=batch)
    graph = neighbor_graph(joint, 12)
    assert graph[:36, 36:].nnz == graph[36:, :36].nnz == 0
    assert (graph[:36, :36] != neighbor_graph(data, 12)).nnz == 0
    np.testing.assert_array_equal(spread_labels(batch, both, 7, 100.0, batch), batch)
