"""BANKSY: kernels and augmentation against loops, blocked PCA against a dense one, stripes."""

from __future__ import annotations

import dataclasses

import numpy as np
import pytest
import scipy.sparse as sp
from sklearn.metrics import adjusted_rand_score

from methods.banksy import neighbourhood
from methods.banksy.block_pca import block_components
from methods.banksy.model import augment
from methods.banksy.neighbourhood import Augmented, kernels
from methods.contract import Data, Job
from methods.shared.expression.pca import principal_components
from tests.methods.toys import run, tissue


def jittered(side: int = 9, seed: int = 0) -> Data:
    """A tissue without ties between distances."""
    data, _ = tissue(side, seed=seed)
    jitter = np.random.default_rng(seed).normal(0, 8, data.coordinates.shape)
    return dataclasses.replace(data, coordinates=data.coordinates + jitter)


def by_loops(counts: np.ndarray, coordinates: np.ndarray, k: int, mixing: float) -> np.ndarray:
    """The paper's matrix spot by spot: own, mean, size of the centred first harmonic."""
    own = counts / counts.sum(axis=1, keepdims=True)
    parts = [own, np.zeros_like(own), np.zeros_like(own)]
    for i, here in enumerate(coordinates):
        distance = np.hypot(*(coordinates - here).T)
        for harmonic in (0, 1):
            near = np.argsort(distance)[1 : 1 + k * (harmonic + 1)]
            weight = np.exp(-((distance[near] / np.median(distance[near])) ** 2))
            weight = weight / weight.sum()
            values = own[near]
            if harmonic:
                angle = np.arctan2(*(coordinates[near] - here).T[::-1])
                weight, values = weight * np.exp(1j * angle), values - values.mean(axis=0)
            parts[1 + harmonic][i] = np.abs(weight @ values)
    share = (1 - mixing, mixing * 2 / 3, mixing / 3)
    scored = [(part - part.mean(axis=0)) / part.std(axis=0) for part in parts]
    return np.hstack([np.sqrt(s) * part for s, part in zip(share, scored, strict=True)])


@pytest.mark.parametrize("mixing", [0.0, 0.2, 0.8])
def test_augmented_expression_by_loops(monkeypatch, mixing):
    """In blocks of a few spots."""
    monkeypatch.setattr(neighbourhood, "BLOCK_BYTES", 7 * 8 * 180)
    data = jittered()
    augmented = augment(data, 2000, 5, mixing)
    blocks = list(augmented.blocks())
    assert max(map(len, blocks)) == 7
    expected = by_loops(data.counts.toarray().astype(float), data.coordinates, 5, mixing)
    np.testing.assert_allclose(np.vstack(blocks), expected, atol=1e-5)


def test_kernels_of_a_ring_by_hand():
    """Six spots around one at equal distance: equal weights; a slope has one direction."""
    angle = np.arange(6) * np.pi / 3
    coordinates = np.vstack([[0.0, 0.0], np.column_stack([np.cos(angle), np.sin(angle)])])
    mean, gradient = kernels(coordinates, 3, None)
    assert sorted(kernels(coordinates, 6, None)[0][0].data) == pytest.approx([1 / 6] * 6)
    np.testing.assert_allclose(gradient[0].toarray().ravel()[1:], np.exp(1j * angle) / 6)
    slopes = np.column_stack([coordinates, coordinates.sum(axis=1), np.ones(7)])
    slope = np.abs(gradient[0] @ slopes)
    np.testing.assert_allclose(slope.ravel(), [0.5, 0.5, np.sqrt(0.5), 0], atol=1e-12)
    np.testing.assert_allclose(mean.sum(axis=1), 1)


def test_turned_and_scaled_tissue_has_the_same_neighbourhoods():
    data = jittered()
    turn = np.array([[np.cos(0.7), -np.sin(0.7)], [np.sin(0.7), np.cos(0.7)]])
    moved = dataclasses.replace(data, coordinates=data.coordinates @ turn * 3 + 1e4, pitch=300.0)
    first, second = (np.vstack(list(augment(d, 2000, 6, 0.8).blocks())) for d in (data, moved))
    np.testing.assert_allclose(first, second, atol=1e-7)


def test_genes_without_variance_count_for_nothing():
    """Rounding in the gradient of a constant gene is not blown up to unit variance."""
    data = jittered()
    expression = sp.csr_matrix(np.hstack([np.full((81, 1), 1e4), data.counts.toarray()[:, :3]]))
    augmented = Augmented(expression, *kernels(data.coordinates, 5, None), 0.8)
    blocks = np.vstack(list(augmented.blocks()))
    np.testing.assert_array_equal(blocks[:, [0, 4, 8]], 0)
    np.testing.assert_allclose((blocks**2).mean(axis=0).sum(), 3)


def pieces(matrix: np.ndarray, rows: int = 17):
    return lambda: (matrix[start : start + rows] for start in range(0, len(matrix), rows))


@pytest.mark.parametrize("shape", [(200, 60), (40, 300), (300, 700)])
def test_blocked_components_are_those_of_the_whole(shape):
    """Like exact PCA of the same matrix, also with more columns than the span can hold."""
    rng = np.random.default_rng(0)
    strong = rng.normal(size=(shape[0], 8)) * np.arange(8, 0, -1) @ rng.normal(size=(8, shape[1]))
    matrix = strong / 4 + rng.normal(size=shape)
    matrix -= matrix.mean(axis=0)
    found = block_components(pieces(matrix), shape[1], 8, np.random.default_rng(1))
    exact = principal_components(sp.csr_matrix(matrix), 8)
    np.testing.assert_allclose(found, exact, atol=1e-6 * np.abs(exact).max())


def test_blocked_components_of_noise_hold_its_variance():
    """Where nothing stands out, what is lost of the leading variance is less than 0.1 %."""
    matrix = np.random.default_rng(0).normal(size=(500, 900))
    matrix -= matrix.mean(axis=0)
    found = block_components(pieces(matrix), 900, 20, np.random.default_rng(1))
    size = np.linalg.svd(matrix, compute_uv=False)[:20]
    assert 0.999 < (found**2).sum() / (size**2).sum() <= 1 + 1e-9


@pytest.mark.parametrize("rank", [0, 2])
def test_fewer_components_where_there_are_no_more(rank):
    rng = np.random.default_rng(0)
    matrix = rng.normal(size=(50, rank)) @ rng.normal(size=(rank, 30))
    found = block_components(pieces(matrix), 30, 5, rng)
    assert found.shape == (50, max(rank, 1))
    np.testing.assert_allclose(found @ found.T, matrix @ matrix.T, atol=1e-9)


def test_components_depend_neither_on_the_seed_nor_on_the_order_of_spots():
    data = jittered(12)
    order = np.random.default_rng(0).permutation(data.n_cells)
    mixed = dataclasses.replace(
        data, counts=data.counts[order], coordinates=data.coordinates[order]
    )
    first, second, third = (
        run("banksy", d, Job(seed, 3)).embedding for d, seed in ((data, 0), (data, 1), (mixed, 0))
    )
    np.testing.assert_allclose(first, second, atol=1e-3)
    np.testing.assert_allclose(first[order], third, atol=1e-3)


@pytest.mark.parametrize("head", ["leiden", "kmeans"])
def test_stripes_are_found_and_coordinates_matter(head):
    """At low signal above PCA and k-means; destroyed coordinates lower the score."""
    scores = []
    for seed in range(3):
        data, truth = tissue(20, genes=90, seed=seed, signal=0.8)
        order = np.random.default_rng(3).permutation(len(truth))
        torn = dataclasses.replace(data, coordinates=data.coordinates[order])
        runs = (("banksy", data), ("banksy", torn), ("pca_kmeans", data))
        found = [run(name, d, Job(seed, 3), head=head).clusters for name, d in runs]
        scores.append([adjusted_rand_score(truth, clusters) for clusters in found])
    ours, torn, plain = np.median(scores, axis=0)
    assert ours > 0.8
    assert ours > max(torn, plain) + 0.1


@pytest.mark.parametrize("variant", ["described", "cell_typing"])
def test_clear_stripes_are_found(variant):
    data, truth = tissue(20)
    found = run("banksy", data, Job(0, 3), variant)
    assert adjusted_rand_score(truth, found.clusters) > 0.8
    assert found.notes["resolution_search"] == "exact"


def test_missing_coordinates_are_named():
    data, _ = tissue()
    with pytest.raises(ValueError, match="coordinates"):
        run("banksy", Data(data.counts, data.genes), Job(0, 2))
