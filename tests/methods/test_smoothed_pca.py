"""Smoothed PCA: the average written out, its rings, both heads."""

from __future__ import annotations

import dataclasses

import numpy as np
import pytest
from sklearn.metrics import adjusted_rand_score
from sklearn.mixture import GaussianMixture

from methods.contract import Job
from methods.shared.clustering.kmeans import kmeans
from methods.shared.expression.pca import standard_components
from methods.shared.graphs.neighbors import spatial_knn
from methods.shared.training.seeding import random_stream
from tests.methods.toys import params, run, tissue

NAMES = ["smoothed_pca_kmeans", "smoothed_pca_gmm"]
RINGS = {"described": 1, "two_rings": 2, "three_rings": 3}


@pytest.mark.parametrize("variant", RINGS)
@pytest.mark.parametrize("name", NAMES)
def test_components_are_averaged_over_whole_rings(name, variant):
    """Inside a hexagonal lattice: all spots within as many pitches, and no other."""
    data, _ = tissue(16)
    components = standard_components(data.counts, 2000, 30)
    distance = np.linalg.norm(data.coordinates[:, None] - data.coordinates, axis=2)
    near = distance < 100 * RINGS[variant] + 1
    assert near.sum(axis=1).max() == 1 + params(name, variant).n_neighbors
    inside = near.sum(axis=1) == near.sum(axis=1).max()
    expected = near @ components / near.sum(axis=1, keepdims=True)
    found = run(name, data, Job(0, 3), variant).embedding
    np.testing.assert_allclose(found[inside], expected[inside], rtol=1e-4, atol=1e-5)


def test_the_default_stays_as_it_is():
    """Published numbers are read off it: the same bytes as one expression gives."""
    data, _ = tissue(16, signal=0.8)
    components = standard_components(data.counts, 2000, 30)
    nearest = spatial_knn(data.coordinates, 6, data.pitch)
    around = np.column_stack([np.arange(data.n_cells), nearest])
    smoothed = np.asarray(sum(components[column] for column in around.T) / around.shape[1])
    found = run("smoothed_pca_kmeans", data, Job(4, 3))
    assert found.embedding.tobytes() == smoothed.astype(np.float32).tobytes()
    expected = kmeans(smoothed, 3, random_stream(4, "head"), 20)
    assert found.clusters.tobytes() == expected.tobytes()


def test_the_mixture_is_that_of_scikit_learn():
    """Started from our partition, its EM gains next to nothing and moves next to no spot."""
    data, _ = tissue(16)
    result = run("smoothed_pca_gmm", data, Job(0, 3), n_components=5)
    features = result.embedding.astype(float)
    members = np.eye(3)[result.clusters]
    means = members.T @ features / members.sum(axis=0)[:, None]
    within = features - means[result.clusters]
    theirs = GaussianMixture(
        3, covariance_type="tied", tol=1e-6, max_iter=1000, weights_init=members.mean(axis=0),
        means_init=means, precisions_init=np.linalg.inv(within.T @ within / len(features)),
    ).fit(features)  # fmt: skip
    total = theirs.score(features) * len(features)
    assert result.notes["log_likelihood"] == pytest.approx(total, rel=2e-3)
    assert adjusted_rand_score(result.clusters, theirs.predict(features)) > 0.97


@pytest.mark.parametrize("name", NAMES)
def test_stripes_are_found_and_coordinates_matter(name):
    """At low signal above PCA with the same head; destroyed coordinates lower the score."""
    scores = []
    for seed in range(3):
        data, truth = tissue(20, genes=90, seed=seed, signal=0.8)
        order = np.random.default_rng(3).permutation(len(truth))
        torn = dataclasses.replace(data, coordinates=data.coordinates[order])
        runs = ((name, data), (name, torn), (name.removeprefix("smoothed_"), data))
        found = [run(n, d, Job(seed, 3), n_components=10).clusters for n, d in runs]
        scores.append([adjusted_rand_score(truth, clusters) for clusters in found])
    ours, torn, plain = np.median(scores, axis=0)
    assert ours > 0.8
    assert ours > max(torn, plain) + 0.1
