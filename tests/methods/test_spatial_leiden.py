"""Spatial Leiden: the joint graph by hand, both ends of the share, planted stripes."""

from __future__ import annotations

import dataclasses

import numpy as np
import pytest
import scipy.sparse as sp
from sklearn.metrics import adjusted_rand_score

from methods.contract import Data, Job
from methods.spatial_leiden.model import joint_graph
from tests.methods.toys import run, tissue


def test_joint_graph_by_hand():
    """Weights of 12 in all and of 4: the latter count threefold before both are mixed."""
    expression = sp.csr_matrix([[0, 4, 0], [4, 0, 2], [0, 2, 0]], dtype=float)
    spatial = sp.csr_matrix([[0, 0, 1], [0, 0, 1], [1, 1, 0]], dtype=float)
    expected = 0.75 * np.array([[0, 4, 0], [4, 0, 2], [0, 2, 0]])
    expected = expected + 0.25 * np.array([[0, 0, 1], [0, 0, 1], [1, 1, 0]]) * 3
    joint = joint_graph(expression, spatial, 0.25)
    np.testing.assert_allclose(joint.toarray(), expected)
    assert joint.sum() == pytest.approx(12)


@pytest.mark.parametrize("share", [0.0, 0.3, 1.0])
def test_the_share_is_that_of_all_weight(share):
    rng = np.random.default_rng(0)
    graphs = []
    for scale in (1.0, 50.0):
        half = sp.random_array((40, 40), density=0.1, rng=rng, format="csr") * scale
        graphs.append(sp.csr_matrix(half + half.T))
    joint = joint_graph(*graphs, share)
    rest = joint - (1 - share) * graphs[0]
    assert rest.sum() / joint.sum() == pytest.approx(share, abs=1e-9)
    assert (joint != joint.T).nnz == 0
    assert joint.nnz == (graphs[0] * (share < 1) + graphs[1] * (share > 0)).count_nonzero()


@pytest.mark.parametrize("n_clusters", [3, None])
def test_without_spatial_edges_it_is_pca_and_leiden(n_clusters):
    data, _ = tissue(signal=1.0)
    alone = run("spatial_leiden", data, Job(2, n_clusters), spatial_share=0.0)
    plain = run("pca_leiden", data, Job(2, n_clusters))
    np.testing.assert_array_equal(alone.clusters, plain.clusters)
    np.testing.assert_array_equal(alone.embedding, plain.embedding)


def test_spatial_edges_alone_ignore_expression():
    """Communities of the lattice: the same for any counts, and in one piece each."""
    data, _ = tissue()
    other = dataclasses.replace(data, counts=tissue(seed=9)[0].counts)
    first, second = (run("spatial_leiden", d, Job(0, 3), spatial_share=1.0) for d in (data, other))
    np.testing.assert_array_equal(first.clusters, second.clusters)
    distance = np.linalg.norm(data.coordinates[:, None] - data.coordinates, axis=2)
    for label in range(3):
        members = first.clusters == label
        near = sp.csr_matrix(distance[np.ix_(members, members)] < 101)
        assert sp.csgraph.connected_components(near)[0] == 1


def test_the_number_asked_for_is_met_and_noted():
    data, _ = tissue(signal=1.0)
    for n_clusters in (2, 3, 5):
        result = run("spatial_leiden", data, Job(0, n_clusters))
        exact = len(np.unique(result.clusters)) == n_clusters
        assert result.notes["resolution_search"] == ("exact" if exact else "closest")
        assert exact
    free = run("spatial_leiden", data, Job(0, None), resolution=4.0)
    assert "resolution 4" in free.notes["k_rule"]
    assert len(np.unique(free.clusters)) > 5


def test_stripes_are_found_and_coordinates_matter():
    """At low signal above PCA and Leiden; destroyed coordinates lower the score."""
    scores = []
    for seed in range(3):
        data, truth = tissue(20, genes=90, seed=seed, signal=0.8)
        order = np.random.default_rng(3).permutation(len(truth))
        torn = dataclasses.replace(data, coordinates=data.coordinates[order])
        runs = (("spatial_leiden", data), ("spatial_leiden", torn), ("pca_leiden", data))
        found = [run(name, d, Job(seed, 3)).clusters for name, d in runs]
        scores.append([adjusted_rand_score(truth, clusters) for clusters in found])
    ours, torn, plain = np.median(scores, axis=0)
    assert ours > 0.9
    assert ours > max(torn, plain) + 0.1


def test_missing_coordinates_are_named():
    data, _ = tissue()
    with pytest.raises(ValueError, match="coordinates"):
        run("spatial_leiden", Data(data.counts, data.genes), Job(0, 2))
