"""MultiST's expression, neighbour graph and image tokens."""

from __future__ import annotations

import dataclasses

import numpy as np
import pytest
import scipy.sparse as sp

from methods.contract import Job
from methods.multist.inputs import common_genes, expression, image_tokens, neighbor_graph
from methods.shared.expression.pca import principal_components
from methods.shared.graphs.weights import normalized_adjacency
from methods.shared.image.features import histology_features
from methods.shared.image.spots import image_feature_components
from tests.methods.test_multist_second_stage import SHORT
from tests.methods.toys import run, tissue, tissue_with_image


def test_twelve_neighbours_are_two_shells():
    """Inside a hexagonal lattice at 1 and sqrt 3 pitches; the spectral radius is 1."""
    data, _ = tissue(15)
    graph = neighbor_graph(data, 12)
    middle = 7 * 15 + 7
    near = np.setdiff1d(graph[middle].indices, middle)
    distance = np.linalg.norm(data.coordinates[near] - data.coordinates[middle], axis=1) / 100
    shells = np.repeat([1, np.sqrt(3)], 6)
    np.testing.assert_allclose(np.sort(distance), shells, atol=1e-9)
    assert (graph.diagonal() == 1).all()
    scaled = normalized_adjacency(graph).toarray().astype(float)
    np.testing.assert_allclose(scaled, scaled.T, atol=1e-7)
    assert np.abs(np.linalg.eigvalsh(scaled)).max() == pytest.approx(1, abs=1e-6)
    assert 12 <= graph.nnz / 225 - 1 < 14


def test_components_of_z_scores_without_logarithm():
    """A million a spot over all kept genes, z-scores of the variable ones, no clip."""
    counts = tissue(9)[0].counts
    x = counts.toarray().astype(float)
    scaled = 1e6 * x / x.sum(axis=1, keepdims=True)
    scores = (scaled - scaled.mean(axis=0)) / scaled.std(axis=0, ddof=1)
    expected = principal_components(sp.csr_matrix(scores), 5)
    found = expression(counts, 50, 2000, 5)
    np.testing.assert_allclose(np.abs(found), np.abs(expected), rtol=1e-3, atol=1e-3)


def test_genes_of_few_spots_or_counts_are_dropped():
    """50 spots, then ten counts; of small tissues a fifth of the spots."""
    counts = np.zeros((400, 4), dtype=np.float32)
    counts[:, 0], counts[:60, 1], counts[:49, 2], counts[:100, 3] = 5, 1, 9, 1
    np.testing.assert_array_equal(common_genes(sp.csr_matrix(counts), 50), [0, 1, 3])
    few = sp.csr_matrix(counts[:9])
    np.testing.assert_array_equal(common_genes(few, 50), [0, 2])
    np.testing.assert_array_equal(common_genes(sp.csr_matrix(counts[:2, 1:2]), 50), [0])


def test_features_of_the_user_take_the_place_of_the_image():
    """Those of the image itself give its tokens; spots without features count as average."""
    data = tissue_with_image(10)
    found = histology_features(data.image, data.coordinates, data.scale, data.pitch).features
    found[3] = np.nan
    given = dataclasses.replace(data, image=None, scale=None, image_features=found)
    tokens, notes = image_tokens(given, True, np.random.default_rng(0))
    assert notes == {"image": "features given", "spots_outside_image": 1}
    np.testing.assert_array_equal(tokens, image_feature_components(found, 50))
    assert not tokens[3].any()
    result = run("multist", given, Job(0, 3), **SHORT)
    assert result.notes["image"] == "features given"


def test_image_tokens_follow_the_spots():
    """Tokens of shuffled spots are the shuffled tokens."""
    data = tissue_with_image(10)
    order = np.random.default_rng(0).permutation(100)
    mixed = dataclasses.replace(data, coordinates=data.coordinates[order])
    first, second = (image_tokens(d, True, np.random.default_rng(0))[0] for d in (data, mixed))
    scale = np.abs(first).max()
    np.testing.assert_allclose(second[:, :5], first[order, :5], atol=0.05 * scale)
