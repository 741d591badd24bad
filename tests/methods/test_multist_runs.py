"""MultiST as a whole: labels spread at the end, planted stripes, sections, kills, bad input."""

from __future__ import annotations

import dataclasses

import numpy as np
import pytest
import scipy.sparse as sp
from sklearn.metrics import adjusted_rand_score

from methods.contract import Data, Job
from methods.multist.inputs import neighbor_graph
from methods.multist.label_spreading import (
    anchors,
    averaged_memberships,
    heat_weights,
    spread_labels,
)
from methods.shared.clustering.kmeans import kmeans
from methods.shared.graphs.sections import section_knn
from tests.methods.test_image import picture
from tests.methods.test_state import go_on_from_everywhere
from tests.methods.toys import params, run, tissue

VARIANTS = ["described", "released"]
SHORT = {"epochs": 12, "cluster_epochs": 3, "fusion_epochs": 2}


def test_labels_that_agree_stay():
    """MultiST 11: uniform labels are unchanged; without neighbours everything is."""
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
    """MultiST 11: inside a domain; the only spot of a class is its anchor and stays."""
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
    """MultiST 11: ten steps of row-normalised weights, anchors put back at each."""
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
    """Section 4: the spots with the most weight on their own class."""
    data, _ = tissue(25)
    weights = heat_weights(section_knn(data.coordinates, 7, 100.0), data.coordinates)
    held = anchors(weights, (data.coordinates[:, 0] > 800).astype(int))
    assert held.sum() == sum(
        max(int(0.01 * size), 1) for size in np.bincount(data.coordinates[:, 0] > 800)
    )


def test_refinement_is_what_comes_last():
    """Section 7.10: clusters are the smoothed ones, in both variants; 0 gives the mixture's."""
    data, _ = tissue(9)
    plain = run("multist", data, Job(0, 3), refine=0, **SHORT).clusters
    smooth = run("multist", data, Job(0, 3), **SHORT).clusters
    expected = spread_labels(plain, data.coordinates, 7, data.pitch, None)
    np.testing.assert_array_equal(smooth, expected)
    assert all(params("multist", variant).refine == 7 for variant in VARIANTS)


def test_sections_join_and_spread_within_themselves():
    """Several sections: no edge and no label crosses, though their places overlap."""
    data, _ = tissue(6)
    both = np.concatenate([data.coordinates, data.coordinates + 1.0])
    batch = np.repeat([0, 1], 36)
    joint = Data(sp.csr_matrix(sp.vstack([data.counts] * 2)), data.genes, both, 100.0, batch=batch)
    graph = neighbor_graph(joint, 12)
    assert graph[:36, 36:].nnz == graph[36:, :36].nnz == 0
    assert (graph[:36, :36] != neighbor_graph(data, 12)).nnz == 0
    np.testing.assert_array_equal(spread_labels(batch, both, 7, 100.0, batch), batch)


@pytest.mark.parametrize("variant", VARIANTS)
def test_a_killed_run_goes_on_where_it_was(monkeypatch, variant):
    """From every epoch of both phases of the first stage: weights, noise, masks, adversary."""
    monkeypatch.setattr("methods.multist.model.NOISE_FROM", 2)
    monkeypatch.setattr("methods.multist.model.CRITIC_EVERY", 2)
    data, _ = tissue(6)
    short = {"epochs": 4, "cluster_epochs": 2, "kmeans_starts": 1}
    assert go_on_from_everywhere("multist", variant, data, **short) == 6


@pytest.mark.parametrize("variant", VARIANTS)
def test_a_killed_run_with_an_image_goes_on_too(monkeypatch, variant):
    """The second stage's weights and the embedding it is trained on come back; three batches."""
    monkeypatch.setattr("methods.multist.second_stage.BATCH", 15)
    data, _ = tissue(6)
    data = dataclasses.replace(data, image=picture(data), scale=0.2)
    short = {"epochs": 1, "cluster_epochs": 1, "fusion_epochs": 2, "kmeans_starts": 1}
    assert go_on_from_everywhere("multist", variant, data, **short) == 4


@pytest.mark.parametrize("variant", VARIANTS)
def test_planted_stripes_and_the_worth_of_places(variant):
    """Found on the median of seeds, better than PCA and k-means; places destroyed, less well."""
    data, truth = tissue(18, genes=90, signal=0.9)
    short = {"epochs": 150, "cluster_epochs": 50}
    found = [run("multist", data, Job(seed, 3), variant, **short) for seed in range(3)]
    score = np.median([adjusted_rand_score(truth, result.clusters) for result in found])
    bare = run("pca_kmeans", data, Job(0, 3)).clusters
    assert score > max(0.9, adjusted_rand_score(truth, bare))
    order = np.random.default_rng(0).permutation(data.n_cells)
    lost = dataclasses.replace(data, coordinates=data.coordinates[order])
    without = run("multist", lost, Job(0, 3), variant, **short).clusters
    assert adjusted_rand_score(truth, without) < score - 0.2


def test_two_sections_train_together():
    """Same domains in two sections with other depths."""
    first, truth = tissue(15, genes=90, signal=1.5, seed=0)
    second, _ = tissue(15, genes=90, signal=1.5, seed=1)
    both = Data(
        sp.csr_matrix(sp.vstack([first.counts, 2 * second.counts])), first.genes,
        np.concatenate([first.coordinates] * 2), 100.0, batch=np.repeat([0, 1], 225),
    )  # fmt: skip
    found = run("multist", both, Job(0, 3), epochs=100, cluster_epochs=30).clusters
    assert adjusted_rand_score(np.tile(truth, 2), found) > 0.9


def test_the_blend_keeps_what_expression_tells():
    """Two textures, not quite where the domains are; by k-means, the mixture wants more spots."""
    data, truth = tissue(14, k=2, genes=60, signal=1.2)
    seen = dataclasses.replace(data, image=picture(data), scale=0.2)
    short = {"epochs": 60, "cluster_epochs": 20, "fusion_epochs": 10}
    for variant in VARIANTS:
        embedding = run("multist", seen, Job(0, 2), variant, **short).embedding
        found = kmeans(embedding, 2, np.random.default_rng(0))
        assert adjusted_rand_score(truth, found) > 0.8


@pytest.mark.parametrize("variant", VARIANTS)
def test_what_cannot_be_done_is_named(variant):
    """Bad input: no positions, more clusters than spots, no counts."""
    data, _ = tissue(5)
    with pytest.raises(ValueError, match="coordinates: none given"):
        run("multist", dataclasses.replace(data, coordinates=None), Job(0, 2), variant)
    with pytest.raises(ValueError, match="n_clusters: 26 clusters asked of 25 cells"):
        run("multist", data, Job(0, 26), variant)
    with pytest.raises(ValueError, match="every entry is zero"):
        run("multist", dataclasses.replace(data, counts=data.counts * 0), Job(0, 2), variant)


@pytest.mark.parametrize("variant", VARIANTS)
def test_fewer_genes_than_asked_and_places_that_are_awkward(variant):
    """Bad input: 12 genes, empty spots, duplicate and collinear positions, lone spots."""
    data, _ = tissue(7)
    counts = data.counts.tolil()
    counts[[0, 9]] = 0
    few = Data(sp.csr_matrix(counts)[:, :12], data.genes[:12], data.coordinates, 100.0)
    xy = data.coordinates
    places = [xy, np.where(np.arange(49)[:, None] < 20, 0, xy), xy * [1, 0], xy * 0 + 5]
    places.append(xy + np.outer(np.arange(49) < 2, [1e7, -1e7]))
    for place, clusters in zip(places, (3, 3, 3, None, None), strict=True):
        given = dataclasses.replace(few, coordinates=place, pitch=None)
        found = run("multist", given, Job(0, clusters), variant, **SHORT)
        assert found.clusters.shape == (49,)
        assert np.isfinite(found.embedding).all()
        assert np.isfinite([row["loss"] for row in found.trace]).all()


@pytest.mark.parametrize("variant", VARIANTS)
def test_same_seed_same_bytes_another_seed_others(variant):
    data, _ = tissue(8)
    first, again, other = (run("multist", data, Job(s, 3), variant, **SHORT) for s in (4, 4, 5))
    assert first.clusters.tobytes() == again.clusters.tobytes()
    assert first.embedding.tobytes() == again.embedding.tobytes()
    assert first.embedding.tobytes() != other.embedding.tobytes()


@pytest.mark.parametrize("variant", VARIANTS)
def test_partition_of_shuffled_spots_is_the_shuffled_partition(variant):
    """MultiST 13, with noise drawn by row and an image: the same domains where they are clear."""
    data, _ = tissue(16, k=2, signal=2.5)
    jitter = np.random.default_rng(0).normal(0, 5, data.coordinates.shape)
    xy, order = data.coordinates + jitter, np.random.default_rng(0).permutation(256)
    first = dataclasses.replace(data, coordinates=xy, image=picture(data), scale=0.2)
    second = dataclasses.replace(first, counts=data.counts[order], coordinates=xy[order])
    short = {"epochs": 80, "cluster_epochs": 20, "fusion_epochs": 5}
    found = [run("multist", d, Job(0, 2), variant, **short).clusters for d in (first, second)]
    assert adjusted_rand_score(found[0][order], found[1]) > 0.9


def test_snapshots_of_both_stages():
    """Snapshots before the image comes in are partitions of the first stage."""
    data, _ = tissue(8)
    data = dataclasses.replace(data, image=picture(data), scale=0.2)
    found = run("multist", data, Job(0, 3, snapshots=4), **SHORT)
    plain = run("multist", data, Job(0, 3), **SHORT)
    assert [epoch for epoch, _ in found.snapshots] == [4, 8, 12, 17]
    np.testing.assert_array_equal(found.snapshots[-1][1], plain.clusters)
    assert found.embedding.tobytes() == plain.embedding.tobytes()
