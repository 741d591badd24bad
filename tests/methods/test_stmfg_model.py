"""stMFG as a whole: exchange between streams, switches, symmetry, learning."""

from __future__ import annotations

import dataclasses

import numpy as np
import pytest
import scipy.sparse as sp
import torch
from sklearn.metrics import adjusted_rand_score

from methods.contract import Data, Job
from methods.shared.clustering.mclust import fit_mixture
from methods.shared.graphs.sections import majority_vote
from methods.shared.graphs.two_views import TwoViews
from methods.shared.losses.gram import gram_distance
from methods.shared.training.seeding import random_stream
from methods.stmfg.inputs import prepare, propagation
from methods.stmfg.model import Model
from tests.methods.interrupted import go_on_from_everywhere
from tests.methods.test_stmfg_losses import dense
from tests.methods.toys import params, run, tissue

SMALL = {"epochs": 8, "kmeans_starts": 3}


LEARNING = {"epochs": 60}


SWITCHES = [{}, {"inject": "replace"}, {"inject": "none"}, {"fusion": "token"},
            {"fusion": "token", "inject": "none"}, {"scales": "all"}, {"propagation": "symmetric"},
            {"contrast": "gram", "beta": 10.0}, {"mask_neighbours": True},
            {"exact_pairs_up_to": 0, "n_negatives": 40}]  # fmt: skip


def build(data: Data | None = None, seed: int = 0, **changes) -> Model:
    chosen = params("stmfg", **changes)
    return Model(prepare(data or tissue()[0], chosen), chosen, Job(seed, 3))


def test_layers_embedding_and_projections_have_their_shapes():
    """Views and fused representations of both scales, z, projections."""
    model = build()
    first, last = model.layers()
    assert first.views.shape == (144, 2, 128)
    assert last.views.shape == (144, 2, 64)
    assert [tuple(layer.fused.shape) for layer in (first, last)] == [(144, 128), (144, 64)]
    assert model.network.embed((first, last)).shape == (144, 64)
    assert model.network.project(last.views).shape == (144, 2, 64)
    assert (first.views >= 0).all()
    assert (last.views < 0).any()


def test_the_embedding_is_a_map_of_the_last_scale_as_in_the_lineage():
    """Of both scales, or the fused representation itself, where that is asked for."""
    model = build()
    last = model.layers()[1]
    out = model.network.out
    np.testing.assert_allclose(model.embedding(), (last.fused @ out.weight + out.bias).detach())
    np.testing.assert_allclose(build(embedding="fused").embedding(), last.fused.detach())
    both = build(scales="all")
    out = both.network.out
    joined = torch.cat([layer.fused for layer in both.layers()], dim=1)
    expected = (joined @ out.weight + out.bias).detach()
    np.testing.assert_allclose(both.embedding(), expected, rtol=1e-5, atol=1e-6)


def test_the_mixture_is_asked_for_by_name():
    """Of a planted tissue it makes what mclust's start leads to, not what k-means makes."""
    data, _ = tissue(20)
    found = run("stmfg", data, Job(0, 3), "mixture", epochs=20)
    rng = random_stream(0, "head")
    expected = fit_mixture(found.embedding, 3, rng).log_likelihood
    assert found.notes["log_likelihood"] == pytest.approx(expected, rel=1e-3)
    assert "log_likelihood" not in run("stmfg", data, Job(0, 3), epochs=2).notes


@pytest.mark.parametrize("fusion", ["scorer", "token"])
@pytest.mark.parametrize("inject", ["none", "residual", "replace"])
def test_the_first_attention_reaches_the_second_layer_by_injection_only(fusion, inject):
    """Late fusion ignores the first layer's attention; the other modes do not."""
    model = build(fusion=fusion, inject=inject)
    with torch.no_grad():
        plain = model.layers()
        for weight in model.network.attention[0].parameters():
            weight += torch.randn(weight.shape, generator=torch.Generator().manual_seed(1))
        changed = model.layers()
    same = [torch.equal(a.views, b.views) for a, b in zip(plain, changed, strict=True)]
    assert same == [True, inject == "none"]
    assert not torch.equal(plain[0].fused, changed[0].fused)


@pytest.mark.parametrize("inject", ["none", "residual", "replace"])
def test_streams_talk_to_each_other_by_injection_only(inject):
    """A spatial stream without weights of its own still sees X through the fused one."""
    data, _ = tissue()
    other = dataclasses.replace(data, counts=sp.csr_matrix(data.counts[::-1]))
    chosen = params("stmfg", inject=inject)
    inputs = prepare(data, chosen)
    swapped = inputs._replace(features=prepare(other, chosen).features)
    seen = []
    for given in (inputs, swapped):
        model = Model(given, chosen, Job(0, 3))
        with torch.no_grad():
            model.network.first[:, :128] = 0
            seen.append(model.layers()[1].views[:, 0])
    assert torch.equal(*seen) == (inject == "none")


def test_equal_streams_stay_equal():
    """With one graph and one set of weights S = F, and the contrast has u = v."""
    chosen = params("stmfg")
    inputs = prepare(tissue()[0], chosen)
    model = Model(inputs._replace(alike=inputs.near), chosen, Job(0, 3))
    net = model.network
    with torch.no_grad():
        net.first[:, 128:], net.first_bias[128:] = net.first[:, :128], net.first_bias[:128]
        net.second[1], net.second_bias[64:] = net.second[0], net.second_bias[:64]
        layers = model.layers()
        for layer in layers:
            torch.testing.assert_close(layer.views[:, 0], layer.views[:, 1])
        u = net.project(layers[1].views)[:, 0]
        found = model.agreement(layers[1].views)
    assert found.item() == pytest.approx(dense(u, u).item(), abs=1e-6)


def test_streams_side_by_side_equal_streams_alone():
    """Convolution, ReLU, exchange, convolution, on dense matrices; both scales make up z."""
    model = build(scales="all")
    net, x = model.network, model.features.matrix.forward.to_dense()
    graphs = [m.matrix.forward.to_dense() for m in (model.near, model.alike)]
    hidden = []
    for i, graph in enumerate(graphs):
        wide = slice(128 * i, 128 * (i + 1))
        hidden.append(torch.relu(graph @ x @ net.first[:, wide] + net.first_bias[wide]))
    fused, streams = net.attention[0](torch.stack(hidden, dim=1))
    last = []
    for i, graph in enumerate(graphs):
        narrow = slice(64 * i, 64 * (i + 1))
        last.append(graph @ streams[:, i] @ net.second[i] + net.second_bias[narrow])
    found = model.layers()
    torch.testing.assert_close(found[0].views, torch.stack(hidden, 1), rtol=1e-4, atol=1e-4)
    torch.testing.assert_close(found[1].views, torch.stack(last, 1), rtol=1e-4, atol=1e-4)
    both = torch.cat([fused, net.attention[1](torch.stack(last, 1)).fused], dim=1)
    z = both @ net.out.weight + net.out.bias
    torch.testing.assert_close(net.embed(found), z, rtol=1e-3, atol=1e-4)


def test_losses_are_weighted():
    """By alpha, beta and gamma; the Gram form compares the last layer's views."""
    plain, heavy = build().step(0), build(alpha=2.0, beta=0.3, gamma=0.4).step(0)
    for name, factor in (("zinb", 2), ("contrast", 3), ("spatial", 4)):
        torch.testing.assert_close(heavy[name], factor * plain[name])
    model = build(contrast="gram", beta=10.0)
    views = model.layers()[1].views
    expected = 10 * gram_distance(views[:, 0], views[:, 1])
    torch.testing.assert_close(model.step(0)["contrast"], expected)


@pytest.mark.parametrize(
    ("changes", "kind", "t", "masked"),
    [({}, "average", 0.5, False), ({"propagation": "symmetric"}, "symmetric", 0.5, False),
     ({"temperature": 0.2}, "average", 0.2, False),
     ({"mask_neighbours": True}, "average", 0.5, True)],
)  # fmt: skip
def test_switches_reach_the_model(changes, kind, t, masked):
    """Normalisation of both graphs, temperature, masked neighbours."""
    model, inputs = build(**changes), prepare(tissue()[0], params("stmfg", **changes))
    for used, graph in ((model.near, inputs.near), (model.alike, inputs.alike)):
        expected = propagation(graph, kind).toarray()
        np.testing.assert_allclose(used.matrix.forward.to_dense(), expected, rtol=1e-6)
    projected = model.network.project(model.layers()[1].views)
    loss = dense(*projected.unbind(dim=1), t, inputs.near.toarray() if masked else None)
    torch.testing.assert_close(model.step(0)["contrast"], model.params.beta * loss)


@pytest.mark.parametrize("changes", SWITCHES[:-1], ids=str)
def test_permuting_spots_permutes_the_embedding(changes):
    """With both graphs permuted alike z follows the spots, and losses stay."""
    chosen = params("stmfg", **changes)
    inputs = prepare(tissue()[0], chosen)
    order = np.random.default_rng(0).permutation(144)
    mixed = TwoViews(
        sp.csr_matrix(inputs.features[order]),
        sp.csr_matrix(inputs.near[order][:, order]),
        sp.csr_matrix(inputs.alike[order][:, order]),
        inputs.notes,
    )
    plain, other = (Model(i, chosen, Job(0, 3)) for i in (inputs, mixed))
    np.testing.assert_allclose(other.embedding(), plain.embedding()[order], rtol=1e-4, atol=1e-4)
    for name, loss in plain.step(0).items():
        torch.testing.assert_close(other.step(0)[name], loss, rtol=1e-4, atol=1e-6)


def test_permuting_spots_permutes_clusters():
    """Counts and coordinates in another order; no tie depends on it."""
    data, _ = tissue(16, signal=4.0)
    jitter = np.random.default_rng(0).normal(0, 5, data.coordinates.shape)
    data = dataclasses.replace(data, coordinates=data.coordinates + jitter)
    order = np.random.default_rng(1).permutation(data.n_cells)
    mixed = dataclasses.replace(
        data, counts=sp.csr_matrix(data.counts[order]), coordinates=data.coordinates[order]
    )
    first, second = (run("stmfg", d, Job(0, 3), epochs=30).clusters for d in (data, mixed))
    assert adjusted_rand_score(first[order], second) > 0.98


@pytest.mark.parametrize("changes", SWITCHES, ids=str)
def test_stripes_are_found(changes):
    """Every switch learns; the same seed gives the same bytes."""
    data, truth = tissue()
    result = run("stmfg", data, Job(0, 3), **LEARNING, **changes)
    assert adjusted_rand_score(truth, result.clusters) > 0.9
    assert set(result.trace[0]) == {"epoch", "loss", "zinb", "contrast", "spatial"}
    assert result.trace[-1]["loss"] < result.trace[0]["loss"]
    first, second = (run("stmfg", data, Job(0, 3), **SMALL, **changes) for _ in range(2))
    assert first.embedding.tobytes() == second.embedding.tobytes()


@pytest.mark.parametrize("changes", [{}, {"exact_pairs_up_to": 0, "n_negatives": 40}], ids=str)
def test_a_killed_run_ends_with_the_same_bytes(changes):
    """Going on after a kill, from every epoch, drawn negatives too."""
    asked = {"epochs": 4, "kmeans_starts": 3, **changes}
    assert go_on_from_everywhere("stmfg", "described", tissue()[0], **asked) == 4


def test_vote_only_where_asked_for():
    """No refinement by default."""
    data, _ = tissue()
    assert params("stmfg").refine == 0
    plain = run("stmfg", data, Job(0, 3), **SMALL)
    voted = run("stmfg", data, Job(0, 3), refine=6, **SMALL)
    expected = majority_vote(plain.clusters, data.coordinates, 6, data.pitch)
    np.testing.assert_array_equal(voted.clusters, expected)


def test_coordinates_matter():
    """At low signal above PCA and k-means; destroyed coordinates lower the score."""
    scores = []
    for seed in range(3):
        data, truth = tissue(16, genes=90, seed=seed, signal=0.8)
        order = np.random.default_rng(3).permutation(len(truth))
        torn = dataclasses.replace(data, coordinates=data.coordinates[order])
        runs = (("stmfg", data), ("stmfg", torn), ("pca_kmeans", data))
        found = [run(name, d, Job(seed, 3), **LEARNING).clusters for name, d in runs]
        scores.append([adjusted_rand_score(truth, clusters) for clusters in found])
    ours, torn, plain = np.median(scores, axis=0)
    assert ours > torn + 0.1
    assert ours > plain + 0.1
