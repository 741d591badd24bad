"""The Potts field: by hand, by brute force, an energy that never rises, planted stripes."""

from __future__ import annotations

import dataclasses
import itertools

import numpy as np
import pytest
import scipy.sparse as sp
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.stats import multivariate_normal
from sklearn.metrics import adjusted_rand_score

from methods.contract import Data, Job
from methods.potts_kmeans.field import energy, settle
from methods.potts_kmeans.model import estimate, smooth
from methods.shared.graphs.neighbors import spatial_knn
from methods.shared.graphs.weights import adjacency, symmetrized
from tests.methods.toys import run, tissue

PATH = sp.csr_matrix([[0, 1, 0], [1, 0, 1], [0, 1, 0]], dtype=float)


def lattice(side: int) -> sp.csr_matrix:
    """Join spots of a square lattice to those beside, above and below."""
    line = sp.diags_array([1.0, 1.0], offsets=[-1, 1], shape=(side, side))
    one = sp.eye_array(side)
    return sp.csr_matrix(sp.kron(line, one) + sp.kron(one, line))


def by_loops(cost: np.ndarray, graph: sp.csr_matrix, beta: float, labels: np.ndarray) -> float:
    total = sum(cost[i, label] for i, label in enumerate(labels))
    pairs = itertools.combinations(range(len(labels)), 2)
    return total + beta * sum(graph[i, j] for i, j in pairs if labels[i] != labels[j])


def test_three_spots_by_hand():
    """The middle spot pays 0.1 to save two edges of 0.4; at 0.04 an edge it does not."""
    cost = np.array([[0.0, 1.0], [0.6, 0.5], [0.0, 1.0]])
    labels = np.array([0, 1, 0])
    assert energy(cost, PATH, 0.4, labels) == pytest.approx(0.5 + 2 * 0.4)
    assert settle(cost, PATH, 0.4, labels).tolist() == [0, 0, 0]
    assert energy(cost, PATH, 0.4, np.zeros(3, int)) == pytest.approx(0.6)
    assert settle(cost, PATH, 0.04, labels).tolist() == [0, 1, 0]
    assert labels.tolist() == [0, 1, 0]


def test_neighbours_do_not_swap_for_ever():
    """Two joined spots that would each take the other's label: the first one moves alone."""
    pair = sp.csr_matrix([[0.0, 1.0], [1.0, 0.0]])
    assert settle(np.zeros((2, 2)), pair, 1.0, np.array([0, 1])).tolist() == [1, 1]


@pytest.mark.parametrize("beta", [0.0, 0.3, 1.0])
def test_all_labellings_of_a_tiny_lattice(beta):
    """From each of 512: no change of one spot helps, and the best end is the global minimum."""
    graph = lattice(3)
    cost = np.random.default_rng(1).random((9, 2))
    every = [np.array(labels) for labels in itertools.product(range(2), repeat=9)]
    energies = [by_loops(cost, graph, beta, labels) for labels in every]
    np.testing.assert_allclose([energy(cost, graph, beta, x) for x in every], energies)
    known = {tuple(x.tolist()): value for x, value in zip(every, energies, strict=True)}
    ends = []
    for start in every:
        end = settle(cost, graph, beta, start)
        ends.append(known[tuple(end.tolist())])
        assert ends[-1] <= known[tuple(start.tolist())] + 1e-12
        for spot in range(9):
            flipped = end.copy()
            flipped[spot] = 1 - flipped[spot]
            assert known[tuple(flipped.tolist())] >= ends[-1] - 1e-6
    assert min(ends) == pytest.approx(min(energies))
    if beta == 0:
        assert max(ends) == pytest.approx(min(energies))


def test_centres_are_the_likeliest_and_their_cost_the_likelihood():
    rng = np.random.default_rng(0)
    features, labels = rng.normal(size=(30, 4)), rng.integers(3, size=30)
    centres = estimate(features, labels, np.full((4, 4), 7.0))
    for label in range(3):
        np.testing.assert_allclose(centres.means[label], features[labels == label].mean(axis=0))
    np.testing.assert_array_equal(centres.means[3], 7.0)
    cost = centres.cost(features) + 2 * np.log(2 * np.pi)
    for label in range(4):
        normal = multivariate_normal(centres.means[label], centres.variance * np.eye(4))
        np.testing.assert_allclose(cost[:, label], -normal.logpdf(features))


@given(st.integers(0, 10**6), st.floats(0, 5), st.integers(1, 6))
@settings(max_examples=40, deadline=None)
def test_the_energy_never_rises(seed, beta, k):
    rng = np.random.default_rng(seed)
    features, labels = rng.normal(size=(64, 3)), rng.integers(k, size=64)
    graph = symmetrized(adjacency(spatial_knn(rng.random((64, 2)), 6)))
    _, energies = smooth(features, graph, labels, beta, 50)
    assert (np.diff(energies) <= 1e-9 * np.abs(energies[0])).all()
    assert len(energies) < 51


def test_a_stable_partition_stays():
    data, _ = tissue()
    graph = symmetrized(adjacency(spatial_knn(data.coordinates, 6)))
    features = np.random.default_rng(0).normal(size=(144, 5))
    labels, energies = smooth(features, graph, np.arange(144) % 4, 1.0, 50)
    again, after = smooth(features, graph, labels, 1.0, 50)
    np.testing.assert_array_equal(again, labels)
    assert after == pytest.approx([energies[-1]] * 2)


def test_the_order_of_spots_plays_no_part():
    rng = np.random.default_rng(0)
    features, labels, order = (
        rng.normal(size=(80, 3)),
        rng.integers(4, size=80),
        rng.permutation(80),
    )
    coordinates = rng.random((80, 2))
    graphs = [symmetrized(adjacency(spatial_knn(p, 6))) for p in (coordinates, coordinates[order])]
    first, _ = smooth(features, graphs[0], labels, 0.7, 50)
    second, _ = smooth(features[order], graphs[1], labels[order], 0.7, 50)
    np.testing.assert_array_equal(first[order], second)


def test_without_a_price_it_is_pca_and_kmeans():
    data, _ = tissue(signal=0.8)
    free = run("potts_kmeans", data, Job(3, 3), beta=0.0)
    np.testing.assert_array_equal(free.clusters, run("pca_kmeans", data, Job(3, 3)).clusters)
    assert free.notes["spots_relabelled"] == 0


def test_stripes_are_found_and_coordinates_matter():
    """At low signal above PCA and k-means; destroyed coordinates lower the score."""
    scores = []
    for seed in range(3):
        data, truth = tissue(20, genes=90, seed=seed, signal=0.8)
        order = np.random.default_rng(3).permutation(len(truth))
        torn = dataclasses.replace(data, coordinates=data.coordinates[order])
        runs = (("potts_kmeans", data), ("potts_kmeans", torn), ("pca_kmeans", data))
        found = [run(name, d, Job(seed, 3)).clusters for name, d in runs]
        scores.append([adjusted_rand_score(truth, clusters) for clusters in found])
    ours, torn, plain = np.median(scores, axis=0)
    assert ours > 0.9
    assert ours > max(torn, plain) + 0.1


def test_missing_coordinates_are_named():
    data, _ = tissue()
    with pytest.raises(ValueError, match="coordinates"):
        run("potts_kmeans", Data(data.counts, data.genes), Job(0, 2))
