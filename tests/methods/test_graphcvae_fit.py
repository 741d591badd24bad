"""GraphCVAE as a whole: seeds, order of spots, planted stripes, refinement."""

from __future__ import annotations

import dataclasses

import numpy as np
import pytest
import torch
from sklearn.metrics import adjusted_rand_score

from methods.contract import Data, Job
from methods.graphcvae.model import Model, prepare
from methods.shared.graphs.sections import majority_vote
from methods.shared.training.loop import Training, fused_adam
from methods.shared.training.seeding import random_stream
from tests.methods.toys import params, run, tissue

VARIANTS = ["described", "released"]


@pytest.mark.parametrize("variant", VARIANTS)
def test_same_seed_same_bytes_another_seed_others(variant):
    data, _ = tissue(8)
    first, again, other = (
        run("graphcvae", data, Job(seed, 3), variant, epochs=10) for seed in (4, 4, 5)
    )
    assert first.clusters.tobytes() == again.clusters.tobytes()
    assert first.embedding.tobytes() == again.embedding.tobytes()
    assert first.embedding.tobytes() != other.embedding.tobytes()


def jittered(side: int) -> tuple[Data, np.ndarray]:
    """Return a tissue without equidistant neighbours."""
    data, truth = tissue(side)
    jitter = np.random.default_rng(0).normal(0, 5, data.coordinates.shape)
    return dataclasses.replace(data, coordinates=data.coordinates + jitter), truth


@pytest.mark.parametrize("variant", VARIANTS)
def test_order_of_spots_does_not_matter_when_noise_belongs_to_spots(monkeypatch, variant):
    """Spots in another order, with their noise, get the same embedding."""
    data, _ = jittered(8)
    order = np.random.default_rng(0).permutation(64)
    mixed = dataclasses.replace(
        data, counts=data.counts[order], coordinates=data.coordinates[order]
    )

    def trained(given: Data, order: np.ndarray) -> np.ndarray:
        own = torch.from_numpy(order)
        back = torch.argsort(own)
        chosen = params("graphcvae", variant)
        model = Model(prepare(given, chosen, random_stream(0, "a")), chosen, Job(0, 3))
        for name in ("randn", "rand"):
            drawn = getattr(torch, name)
            monkeypatch.setattr(torch, name, lambda *a, f=drawn, **k: f(*a, **k)[own])
        monkeypatch.setattr(
            torch, "randperm",
            lambda n, f=torch.randperm, **k: back[f(n, **k)][own],
        )  # fmt: skip
        training = Training(Job(0), 5, lambda: np.zeros(1))
        training.run(fused_adam(list(model.network.parameters()), 2e-3), model.step, 5)
        monkeypatch.undo()
        return model.embedding()

    first, second = trained(data, np.arange(64)), trained(mixed, order)
    np.testing.assert_allclose(second, first[order], atol=2e-2 * np.abs(first).max())


def test_partition_of_shuffled_spots_is_the_shuffled_partition():
    """With noise drawn by row: the same domains where they are clear.

    With more starts, because mclust's own weighs all 30 components alike and misses the domains.
    """
    data, _ = jittered(14)
    order = np.random.default_rng(0).permutation(196)
    mixed = Data(data.counts[order], data.genes, data.coordinates[order], data.pitch)
    first = run("graphcvae", data, Job(0, 3), "more_starts", epochs=150).clusters
    second = run("graphcvae", mixed, Job(0, 3), "more_starts", epochs=150).clusters
    assert adjusted_rand_score(first[order], second) > 0.9


def test_planted_stripes_are_found_and_coordinates_matter():
    """Four stripes are found, with more starts as above; with coordinates destroyed, fewer."""
    data, truth = tissue(18, genes=120, k=4, signal=0.9)
    found = run("graphcvae", data, Job(0, 4), "more_starts", epochs=300).clusters
    with_coordinates = adjusted_rand_score(truth, found)
    assert with_coordinates > 0.9
    order = np.random.default_rng(1).permutation(len(truth))
    scattered = dataclasses.replace(data, coordinates=data.coordinates[order])
    without = run("graphcvae", scattered, Job(0, 4), "more_starts", epochs=300).clusters
    assert adjusted_rand_score(truth, without) < with_coordinates - 0.2


def test_refinement_corrects_a_lone_spot():
    """One wrong spot is corrected, itself not counted; a tie goes to the nearest."""
    data, _ = tissue(9)
    labels = np.zeros(81, dtype=int)
    labels[40] = 1
    assert (majority_vote(labels, data.coordinates, 6, data.pitch) == 0).all()
    line = np.array([[0.0, 0], [1, 0], [2.5, 0]])
    assert majority_vote(np.array([2, 0, 1]), line, 2, 1.0)[0] == 0
    plain = run("graphcvae", data, Job(0, 3), epochs=5).clusters
    smooth = run("graphcvae", data, Job(0, 3), epochs=5, refine=12).clusters
    np.testing.assert_array_equal(smooth, majority_vote(plain, data.coordinates, 12, data.pitch))
