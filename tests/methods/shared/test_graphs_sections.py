"""Neighbours and votes: by hand, and never across sections."""

from __future__ import annotations

import numpy as np
import pytest

from methods.shared.graphs.sections import majority_vote, section_knn, section_vote
from tests.methods.toys import tissue


def test_majority_vote_counts_others_only_and_breaks_ties_by_distance():
    """One simultaneous pass over the nearest other spots."""
    line = np.column_stack([np.arange(6.0), np.zeros(6)])
    clusters = np.array([0, 0, 1, 0, 0, 1])
    assert majority_vote(clusters, line, 2).tolist() == [0, 0, 0, 1, 0, 0]
    assert majority_vote(clusters, line, 0).tolist() == clusters.tolist()
    uneven = np.column_stack([[0.0, 1.0, 3.0], np.zeros(3)])
    assert majority_vote(np.array([2, 0, 1]), uneven, 2).tolist() == [0, 2, 0]


def test_vote_keeps_constants_and_removes_a_flip():
    """On a line of spots."""
    line = np.column_stack([np.arange(30.0), np.zeros(30)])
    constant = np.ones(30, dtype=int)
    np.testing.assert_array_equal(majority_vote(constant, line, 6), constant)
    flipped = constant.copy()
    flipped[12] = 0
    np.testing.assert_array_equal(majority_vote(flipped, line, 6), constant)


@pytest.mark.parametrize("k", [3, 6])
def test_moving_turning_and_scaling_the_tissue_changes_no_graph(k):
    """Translation, rotation of the lattice and scaling, ties decided by index."""
    data, _ = tissue(9)
    graph = section_knn(data.coordinates, k, data.pitch)
    turn = np.deg2rad(60)
    rotation = np.array([[np.cos(turn), -np.sin(turn)], [np.sin(turn), np.cos(turn)]])
    for moved in (data.coordinates + 1e4, data.coordinates * 7.3, data.coordinates @ rotation.T):
        assert (section_knn(moved, k, None) != graph).nnz == 0


def test_sections_vote_and_join_within_themselves():
    """Several sections: no edge and no vote between them, though their coordinates overlap."""
    data, _ = tissue(6)
    both = np.concatenate([data.coordinates, data.coordinates + 1.0])
    batch = np.repeat([0, 1], 36)
    graph = section_knn(both, 3, data.pitch, batch)
    assert graph[:36, 36:].nnz == graph[36:, :36].nnz == 0
    assert (graph[:36, :36] != section_knn(data.coordinates, 3, data.pitch)).nnz == 0
    voted = section_vote(batch, both, 6, data.pitch, batch)
    np.testing.assert_array_equal(voted, batch)
