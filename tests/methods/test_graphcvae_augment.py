"""GraphCVAE's averages of similar neighbours against dense arrays."""

from __future__ import annotations

import dataclasses

import numpy as np
import pytest
import scipy.sparse as sp
from sklearn.decomposition import PCA

from methods.contract import Data
from methods.graphcvae.augment import augmented, best_neighbours, profiles, similarity
from methods.graphcvae.inputs import edge_weights
from methods.shared.expression.counts import scale_to_total
from methods.shared.graphs.sections import section_knn
from methods.shared.training.seeding import random_stream
from tests.methods.toys import picture, tissue


def brute_force(data: Data, image: np.ndarray | None, k: int, drop_best: bool) -> np.ndarray:
    """Average neighbours as the public code does, with dense arrays of spots x spots."""
    counts = data.counts.toarray().astype(float)
    mask = section_knn(data.coordinates, k, data.pitch).toarray()
    weight = mask * np.corrcoef(counts)
    if image is not None:
        unit = image / np.linalg.norm(image, axis=1, keepdims=True)
        weight *= np.maximum(unit @ unit.T, 0)
    last = np.argsort(weight, axis=1, kind="stable")[:, -4:]
    last = last[:, :-1] if drop_best else last[:, 1:]
    average = np.zeros_like(counts)
    for i, chosen in enumerate(last):
        total = weight[i, chosen].sum()
        if total > 0:
            average[i] = weight[i, chosen] / total @ counts[chosen]
    return average


@pytest.mark.parametrize("with_image", [False, True])
@pytest.mark.parametrize("drop_best", [False, True])
def test_neighbour_averages_as_with_dense_arrays(drop_best, with_image):
    """Weights on the 30 neighbours alone give what sorting all spots gives."""
    data, _ = tissue(9)
    image = np.random.default_rng(0).normal(size=(81, 5)) if with_image else None
    near = section_knn(data.coordinates, 30, data.pitch)
    weights = similarity(profiles(data.counts, random_stream(0, "x")), near, centred=True)
    if image is not None:
        weights *= np.maximum(similarity(image, near, centred=False), 0)
    averaging = best_neighbours(near, weights, 3, drop_best)
    expected = brute_force(data, image, 30, drop_best)
    np.testing.assert_allclose((averaging @ data.counts).toarray(), expected, atol=1e-5)


def test_identical_neighbours_average_to_the_spot_and_unlike_ones_to_nothing():
    """Identical neighbours average to the spot itself; where none is alike nothing is added."""
    data, _ = tissue(5)
    near = section_knn(data.coordinates, 6, data.pitch)
    averaging = best_neighbours(near, np.ones(near.nnz), 3, True)
    constant = sp.csr_matrix(np.tile(np.arange(4.0), (25, 1)))
    np.testing.assert_allclose((averaging @ constant).toarray(), constant.toarray())
    nothing = best_neighbours(near, -np.ones(near.nnz), 3, False)
    assert nothing.nnz == 0
    same = augmented(data.counts, nothing, 1.0, 0.3)
    np.testing.assert_array_equal(same.toarray(), data.counts.toarray())


@pytest.mark.parametrize("genes", [600, 2100])
def test_profiles_keep_the_correlations_of_the_components(genes):
    """By whichever solver, profiles correlate as 100 components of raw counts do."""
    rng = np.random.default_rng(0)
    near = section_knn(tissue(12)[0].coordinates, 6, 100.0)
    counts = sp.csr_matrix(rng.poisson(rng.gamma(1, 1, (144, genes))).astype(np.float32))
    components = PCA(100, svd_solver="full").fit_transform(counts.toarray())
    pairs = near.tocoo()
    expected = np.corrcoef(components)[pairs.row, pairs.col]
    found = similarity(profiles(counts, random_stream(0, "x")), near, centred=True)
    np.testing.assert_allclose(found, expected, atol=1e-4)
    assert np.ptp(expected) > 0.3


def test_counting_a_spot_twice_halves_its_neighbours():
    """The normalised profile of 2 X + 0.3 A is that of X + 0.15 A."""
    data, _ = tissue(8)
    near = section_knn(data.coordinates, 30, data.pitch)
    weights = similarity(data.counts, near, centred=True)
    averaging = best_neighbours(near, weights, 3, True)
    twice, half = (
        scale_to_total(augmented(data.counts, averaging, own, weight), 1e4)[0].toarray()
        for own, weight in ((2.0, 0.3), (1.0, 0.15))
    )
    np.testing.assert_allclose(twice, half, rtol=1e-5)


def test_an_image_tells_domains_apart_that_expression_mixes():
    """Neighbours across the border of two textures are left out of the average."""
    data, _ = tissue(10)
    seen = dataclasses.replace(data, image=picture(data), scale=0.2)
    near = section_knn(data.coordinates, 30, data.pitch)
    right = data.coordinates[:, 0] > (data.coordinates[:, 0].max() * 0.2 + 20) / 2 / 0.2
    crossing = []
    for use in (False, True):
        weights, _ = edge_weights(seen, near, use, np.random.default_rng(0))
        edges = best_neighbours(near, weights, 3, False).tocoo()
        crossing.append((right[edges.row] != right[edges.col]).mean())
    assert crossing[1] < 0.6 * crossing[0]
