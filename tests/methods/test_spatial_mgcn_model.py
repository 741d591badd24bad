"""Spatial-MGCN as a whole: steps, symmetry, learning, variants."""

from __future__ import annotations

import dataclasses

import numpy as np
import pytest
import scipy.sparse as sp
import torch
from sklearn.metrics import adjusted_rand_score

from methods.contract import Data, Job
from methods.shared.graphs.sections import majority_vote
from methods.shared.graphs.two_views import TwoViews
from methods.shared.losses.zinb import zinb_heads
from methods.shared.training.loop import adam_with_decay
from methods.spatial_mgcn.model import Model
from methods.spatial_mgcn.network import Views
from tests.methods.interrupted import go_on_from_everywhere
from tests.methods.shared.test_losses_gram import dense_gram_distance
from tests.methods.shared.test_losses_graph import literal
from tests.methods.test_spatial_mgcn_inputs import prepare
from tests.methods.toys import params, run, tissue

SMALL = {"epochs": 8, "kmeans_starts": 3}


LEARNING = {"epochs": 60}


def build(data: Data, seed: int = 0, **changes) -> Model:
    chosen = params("spatial_mgcn", **changes)
    return Model(prepare(data, chosen), chosen, Job(seed, 3))


def test_views_embedding_trunk_and_heads_have_their_shapes():
    """Embeddings spots x 64, trunk spots x 128, three heads per gene."""
    data, _ = tissue()
    model = build(data)
    views = model.views()
    assert [tuple(view.shape) for view in views] == [(144, 64)] * 4
    z = model.network.embed(views)
    assert z.shape == (144, 64)
    hidden = model.network.decoder.hidden(z)
    assert hidden.shape == (144, 128)
    pairs = zip(model.network.decoder.head, model.network.decoder.head_bias, strict=True)
    heads = [hidden @ weight.T + bias for weight, bias in pairs]
    assert [tuple(head.shape) for head in heads] == [(144, 60)] * 3


def literal_views(model: Model) -> Views:
    """Each encoder alone, layer by layer, on dense matrices."""
    net, x = model.network, model.features.matrix.forward.to_dense()
    near, alike = (m.matrix.forward.to_dense() for m in (model.near, model.alike))

    def encode(which: int, graph: torch.Tensor) -> torch.Tensor:
        wide, narrow = slice(128 * which, 128 * (which + 1)), slice(64 * which, 64 * (which + 1))
        hidden = torch.relu(graph @ (x @ net.first[:, wide]) + net.first_bias[wide])
        return graph @ (hidden @ net.second[which]) + net.second_bias[narrow]

    return Views(encode(0, near), encode(1, near), encode(1, alike), encode(2, alike))


def test_encoders_side_by_side_equal_encoders_alone():
    """Two-layer graph convolutions, the second one shared by both graphs."""
    model = build(tissue()[0])
    for found, expected in zip(model.views(), literal_views(model), strict=True):
        torch.testing.assert_close(found, expected, rtol=1e-4, atol=1e-4)


def test_permuting_spots_permutes_the_embedding():
    """With both graphs permuted alike z follows the spots, and losses stay."""
    chosen = params("spatial_mgcn")
    inputs = prepare(tissue()[0], chosen)
    order = np.random.default_rng(0).permutation(144)
    mixed = TwoViews(
        sp.csr_matrix(inputs.features[order]),
        sp.csr_matrix(inputs.near[order][:, order]),
        sp.csr_matrix(inputs.alike[order][:, order]),
        inputs.notes,
    )
    plain, other = (Model(i, chosen, Job(0, 3)) for i in (inputs, mixed))
    np.testing.assert_allclose(other.embedding(), plain.embedding()[order], rtol=1e-4, atol=1e-5)
    for name, loss in plain.step(0).items():
        torch.testing.assert_close(other.step(0)[name], loss, rtol=1e-4, atol=1e-6)


def layered(seed: int = 0, signal: float = 4.0) -> tuple[Data, np.ndarray]:
    """Stripes on a hexagonal lattice with negative binomial counts."""
    data, labels = tissue(16, genes=90, seed=seed)
    rng = np.random.default_rng(seed)
    mean = np.full((3, 90), 0.5)
    for group in range(3):
        mean[group, group::3] = signal
    drawn = rng.negative_binomial(1.5, 1.5 / (1.5 + mean[labels]))
    return dataclasses.replace(data, counts=sp.csr_matrix(drawn.astype(np.float32))), labels


@pytest.mark.parametrize(("variant", "loops"), [("described", 1), ("released", 2)])
def test_a_step_is_that_of_the_equations(variant, loops):
    """Loops, the three losses on dense matrices, Adam's decay."""
    chosen = params("spatial_mgcn", variant, alpha=0.7, beta=3.0, gamma=0.2)
    inputs = prepare(tissue()[0], chosen)
    model = Model(inputs, chosen, Job(0, 3))
    looped = inputs.near.toarray() + loops * np.eye(144)
    found = model.near.matrix.forward.to_dense()
    np.testing.assert_allclose(found, looped / looped.sum(axis=1, keepdims=True), rtol=1e-5)
    views = literal_views(model)
    net, z = model.network, model.network.embed(views)
    made = net.decoder
    same = dense_gram_distance(views.shared_spatial, views.shared_expression)
    expected = {
        "zinb": 0.7 * zinb_heads(made.hidden(z), made.head, made.head_bias, model.target),
        "consistency": 3.0 * same,
        "spatial": 0.2 * literal(z, torch.tensor(inputs.near.toarray())),
    }
    losses = model.step(0)
    assert set(losses) == set(expected)
    for name, loss in expected.items():
        assert losses[name].item() == pytest.approx(loss.item(), rel=1e-3)
    assert adam_with_decay(net, chosen).defaults["weight_decay"] == 5e-4


@pytest.mark.parametrize("variant", ["described", "released"])
def test_stripes_are_found(variant):
    """Label-blind ARI above 0.9 at high signal."""
    data, truth = layered()
    result = run("spatial_mgcn", data, Job(0, 3), variant, **LEARNING)
    assert adjusted_rand_score(truth, result.clusters) > 0.9
    assert set(result.trace[0]) == {"epoch", "loss", "zinb", "consistency", "spatial"}
    assert result.trace[-1]["loss"] < result.trace[0]["loss"]


def test_coordinates_matter():
    """At low signal above PCA and k-means; destroyed coordinates lower the score."""
    scores = []
    for seed in range(3):
        data, truth = layered(seed, signal=1.0)
        order = np.random.default_rng(3).permutation(len(truth))
        torn = dataclasses.replace(data, coordinates=data.coordinates[order])
        runs = (("spatial_mgcn", data), ("spatial_mgcn", torn), ("pca_kmeans", data))
        found = [run(name, d, Job(seed, 3), **LEARNING).clusters for name, d in runs]
        scores.append([adjusted_rand_score(truth, clusters) for clusters in found])
    ours, torn, plain = np.median(scores, axis=0)
    assert ours > torn + 0.1
    assert ours > plain + 0.1


@pytest.mark.parametrize("variant", ["described", "released"])
def test_permuting_spots_permutes_clusters(variant):
    """The order of spots does not show: no tie on a jittered lattice depends on it."""
    data, _ = layered()
    jitter = np.random.default_rng(0).normal(0, 5, data.coordinates.shape)
    data = dataclasses.replace(data, coordinates=data.coordinates + jitter)
    order = np.random.default_rng(1).permutation(data.n_cells)
    mixed = dataclasses.replace(
        data, counts=sp.csr_matrix(data.counts[order]), coordinates=data.coordinates[order]
    )
    results = [run("spatial_mgcn", d, Job(0, 3), variant, epochs=30) for d in (data, mixed)]
    first, second = (result.clusters for result in results)
    assert adjusted_rand_score(first[order], second) > 0.98


def test_released_embeds_before_the_last_update():
    """The embedding of an epoch is the one its update was computed from."""
    data, _ = tissue()
    changes = {"loops": 1, "kmeans_starts": 3}
    before = run("spatial_mgcn", data, Job(0, 3), embedding="before", epochs=5, **changes)
    after = run("spatial_mgcn", data, Job(0, 3), embedding="after", epochs=4, **changes)
    np.testing.assert_array_equal(before.embedding, after.embedding)
    assert params("spatial_mgcn").epochs == 200
    released = params("spatial_mgcn", "released")
    assert (released.epochs, released.loops, released.embedding) == (201, 2, "before")


@pytest.mark.parametrize("variant", ["described", "released"])
def test_a_killed_run_ends_with_the_same_bytes(variant):
    """Going on after a kill, from every epoch."""
    changes = {"epochs": 4, "kmeans_starts": 3}
    assert go_on_from_everywhere("spatial_mgcn", variant, tissue()[0], **changes) == 4


def test_the_mixture_finds_stripes_too():
    """The optional mixture with one shared covariance."""
    data, truth = layered()
    found = run("spatial_mgcn", data, Job(0, 3), head="mixture", **LEARNING)
    assert adjusted_rand_score(truth, found.clusters) > 0.9
    assert "bic" in found.notes


def test_vote_only_where_asked_for():
    """No refinement by default."""
    data, _ = tissue()
    assert params("spatial_mgcn").refine == params("spatial_mgcn", "released").refine == 0
    plain = run("spatial_mgcn", data, Job(0, 3), **SMALL)
    voted = run("spatial_mgcn", data, Job(0, 3), refine=6, **SMALL)
    expected = majority_vote(plain.clusters, data.coordinates, 6, data.pitch)
    np.testing.assert_array_equal(voted.clusters, expected)
