"""Spatial-MGCN as a whole: sizes, attention, symmetry, learning, label-blindness, variants."""

from __future__ import annotations

import dataclasses

import numpy as np
import pytest
import scipy.sparse as sp
import torch
from scipy.stats import nbinom
from sklearn.metrics import adjusted_rand_score
from torch.nn.functional import softplus

from methods.contract import Data, Job, Params
from methods.shared.graphs.sections import majority_vote
from methods.shared.graphs.two_views import TwoViews, two_views
from methods.shared.losses.zinb import EPS, LOG_MU_RANGE, THETA_RANGE, ZinbTarget, zinb_heads
from methods.shared.training.loop import adam_with_decay
from methods.spatial_mgcn.inputs import spatial_graph
from methods.spatial_mgcn.model import Model
from methods.spatial_mgcn.network import Network, Views
from tests.methods.test_spatial_mgcn_graphs import dense_gram_distance, literal
from tests.methods.test_state import go_on_from_everywhere
from tests.methods.toys import params, run, tissue

SMALL = {"epochs": 8, "kmeans_starts": 3}
LEARNING = {"epochs": 60}


def prepare(data: Data, chosen: Params) -> TwoViews:
    """Build features and graphs as `fit` does."""
    near, radius = spatial_graph(data, chosen.spatial_graph, chosen.radius, chosen.densest)
    return two_views(data, near, radius, chosen.min_spots, chosen.n_genes, chosen.n_neighbors)


def build(data: Data, seed: int = 0, **changes) -> Model:
    chosen = params("spatial_mgcn", **changes)
    return Model(prepare(data, chosen), chosen, Job(seed, 3))


def test_number_of_parameters():
    """Spatial-MGCN 9.1: 2,351,944 trainable numbers at 3,000 genes."""
    network = Network(3000, torch.Generator().manual_seed(0))
    assert sum(p.numel() for p in network.parameters()) == 2_351_944


def test_shapes():
    """Spatial-MGCN 9.1: embeddings spots x 64, trunk spots x 128, three heads per gene."""
    data, _ = tissue()
    model = build(data)
    views = model.views()
    assert [tuple(view.shape) for view in views] == [(144, 64)] * 4
    z = model.network.embed(views)
    assert z.shape == (144, 64)
    hidden = model.network.decode(z)
    assert hidden.shape == (144, 128)
    pairs = zip(model.network.head, model.network.head_bias, strict=True)
    heads = [hidden @ weight.T + bias for weight, bias in pairs]
    assert [tuple(head.shape) for head in heads] == [(144, 60)] * 3


def test_weights_start_within_their_bounds():
    """Spatial-MGCN 2: graph layers by the root of the fan-out, affine maps of the fan-in."""
    network = Network(500, torch.Generator().manual_seed(0))
    bounds = {"first": 128, "first_bias": 128, "second": 64, "second_bias": 64, "score": 64,
              "query": 16, "out": 64, "trunk": 64, "trunk_bias": 64, "head": 128}  # fmt: skip
    for name, fan in bounds.items():
        largest = getattr(network, name).detach().abs().max().item()
        assert 0.8 * fan**-0.5 < largest <= fan**-0.5, name


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
    """Spatial-MGCN 2: two-layer graph convolutions, the second one shared by both graphs."""
    model = build(tissue()[0])
    for found, expected in zip(model.views(), literal_views(model), strict=True):
        torch.testing.assert_close(found, expected, rtol=1e-4, atol=1e-4)


def test_trunk_is_that_of_the_layer_library():
    """Spatial-MGCN 2: linear, batch normalisation over all spots, ReLU."""
    network = Network(20, torch.Generator().manual_seed(0))
    with torch.no_grad():
        network.batch_scale.uniform_(0.5, 2)
        network.batch_shift.uniform_(-1, 1)
    z = torch.randn(50, 64)
    x = torch.addmm(network.trunk_bias, z, network.trunk)
    normed = torch.nn.functional.batch_norm(
        x, None, None, network.batch_scale, network.batch_shift, training=True
    )
    torch.testing.assert_close(network.decode(z), torch.relu(normed), rtol=1e-4, atol=1e-5)


def test_attention_sums_to_one_and_is_even_on_equal_views():
    """Spatial-MGCN 9.8: weights sum to 1, and are 1/3 each where the views coincide."""
    network = Network(20, torch.Generator().manual_seed(0))
    views = Views(*torch.randn(4, 30, 64))
    weights = network.attention(views.stack())
    assert weights.shape == (30, 3)
    torch.testing.assert_close(weights.sum(dim=1), torch.ones(30))
    assert weights.std() > 0
    one = torch.randn(30, 64)
    even = network.attention(Views(one, one, one, one).stack())
    torch.testing.assert_close(even, torch.full((30, 3), 1 / 3))


def test_attention_against_its_equation():
    """Spatial-MGCN 2: q . tanh(W h + b), softmax over views, one affine map of the blend."""
    net = Network(20, torch.Generator().manual_seed(0))
    views = Views(*torch.randn(4, 9, 64))
    triple = (views.spatial, (views.shared_spatial + views.shared_expression) / 2, views.expression)
    for i, z in enumerate(net.embed(views)):
        scores = [torch.tanh(net.score.T @ h[i] + net.score_bias) @ net.query for h in triple]
        weights = torch.stack(scores).exp()
        weights = weights / weights.sum()
        blend = sum(w * h[i] for w, h in zip(weights, triple, strict=True))
        torch.testing.assert_close(z, blend @ net.out + net.out_bias, rtol=1e-4, atol=1e-5)


def test_permuting_spots_permutes_the_embedding():
    """Spatial-MGCN 9.8: with both graphs permuted alike z follows the spots, losses stay."""
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


def entries(y, logits, rows: int = 256) -> torch.Tensor:
    """ZINB of given logits, spots x genes each, through heads that pass them on."""
    genes = y.shape[1]
    eye = torch.eye(genes, dtype=torch.float64)
    weight = torch.zeros(3, genes, 3 * genes, dtype=torch.float64)
    for i in range(3):
        weight[i, :, i * genes : (i + 1) * genes] = eye
    target = ZinbTarget(sp.csr_matrix(y), None, dtype=torch.float64, rows=rows)
    bias = torch.zeros(3, genes, dtype=torch.float64)
    return zinb_heads(torch.cat(logits, dim=1), weight, bias, target)


def test_zinb_without_zero_inflation_is_negative_binomial():
    """Spatial-MGCN 9.7: integer y and pi -> 0 give the log pmf with p = theta / (theta + mu)."""
    rng = np.random.default_rng(0)
    y = rng.poisson(3.0, (12, 7)).astype(float)
    theta, mu = (softplus(torch.tensor(rng.normal(1, 1, y.shape))) for _ in range(2))
    logits = [torch.full(y.shape, -40.0, dtype=torch.float64), torch.log(torch.expm1(theta)),
              torch.log(mu)]  # fmt: skip
    expected = -nbinom.logpmf(y, theta.numpy(), (theta / (theta + mu)).numpy()).mean()
    assert entries(y, logits).item() == pytest.approx(expected, abs=1e-6)


def test_zinb_of_a_zero_is_the_mass_of_the_mixture():
    """Spatial-MGCN 9.7: y = 0 gives -log(pi + (1 - pi) NB(0))."""
    rng = np.random.default_rng(1)
    logits = [torch.tensor(rng.normal(0, 1, (9, 5))) for _ in range(3)]
    pi, theta, mu = torch.sigmoid(logits[0]), softplus(logits[1]), logits[2].exp()
    mass = pi + (1 - pi) * (theta / (theta + mu)) ** theta
    found = entries(np.zeros((9, 5)), logits).item()
    assert found == pytest.approx(-mass.log().mean().item(), abs=1e-8)


@pytest.mark.parametrize("y", [0.0, 0.3, 10.0])
@pytest.mark.parametrize("theta", [-800.0, 800.0, 1e6])
@pytest.mark.parametrize("mu", [-800.0, 800.0])
@pytest.mark.parametrize("pi", [-800.0, 0.0, 800.0])
def test_zinb_is_finite_at_the_clipping_bounds(y, theta, mu, pi):
    """Spatial-MGCN 9.7: theta at 1e-4 and 1e4, mu at 1e-5 and 1e6, pi at 0 and 1."""
    logits = [
        torch.full((2, 2), x, dtype=torch.float64, requires_grad=True) for x in (pi, theta, mu)
    ]
    loss = entries(np.full((2, 2), y), logits)
    loss.backward()
    assert torch.isfinite(loss)
    assert all(torch.isfinite(logit.grad).all() for logit in logits)
    assert THETA_RANGE == (1e-4, 1e4)
    assert np.exp(LOG_MU_RANGE) == pytest.approx([1e-5, 1e6])
    assert EPS == 1e-10


def literal_zinb(y: torch.Tensor, logits: list[torch.Tensor]) -> torch.Tensor:
    """The formula of the specification on dense spots x genes arrays."""
    pi, theta = torch.sigmoid(logits[0]), softplus(logits[1]).clamp(1e-4, 1e4)
    mu = logits[2].exp().clamp(1e-5, 1e6)
    nb = torch.lgamma(theta + EPS) + torch.lgamma(y + 1) - torch.lgamma(y + theta + EPS)
    nb = nb + (theta + y) * torch.log(1 + mu / (theta + EPS))
    nb = nb + y * (torch.log(theta + EPS) - torch.log(mu + EPS)) - torch.log(1 - pi + EPS)
    zero = -torch.log(pi + (1 - pi) * (theta / (theta + mu + EPS)) ** theta + EPS)
    return torch.where(y < 1e-8, zero, nb).mean()


@pytest.mark.parametrize("rows", [1, 37, 1000])
def test_blocked_heads_equal_whole_ones(rows):
    """Spatial-MGCN 9.9: loss and gradients of heads and ZINB by blocks, on values no integers."""
    features = prepare(tissue()[0], params("spatial_mgcn")).features.astype(np.float64)
    generator = torch.Generator().manual_seed(0)
    hidden = torch.rand(144, 128, generator=generator, dtype=torch.float64)
    weight = torch.randn(3, 60, 128, generator=generator, dtype=torch.float64) / 11
    bias = torch.randn(3, 60, generator=generator, dtype=torch.float64)
    free = [x.requires_grad_() for x in (hidden, weight, bias)]
    blocked = zinb_heads(*free, ZinbTarget(features, None, dtype=torch.float64, rows=rows))
    logits = [hidden @ w.T + b for w, b in zip(weight, bias, strict=True)]
    whole = literal_zinb(torch.tensor(features.toarray()), logits)
    assert blocked.item() == pytest.approx(whole.item(), rel=1e-8)
    pairs = zip(torch.autograd.grad(blocked, free), torch.autograd.grad(whole, free), strict=True)
    for found, expected in pairs:
        torch.testing.assert_close(found, expected, rtol=1e-5, atol=1e-9)


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
    """Spatial-MGCN 1 and 3: loops, the three losses on dense matrices, Adam's decay."""
    chosen = params("spatial_mgcn", variant, alpha=0.7, beta=3.0, gamma=0.2)
    inputs = prepare(tissue()[0], chosen)
    model = Model(inputs, chosen, Job(0, 3))
    looped = inputs.near.toarray() + loops * np.eye(144)
    found = model.near.matrix.forward.to_dense()
    np.testing.assert_allclose(found, looped / looped.sum(axis=1, keepdims=True), rtol=1e-5)
    views = literal_views(model)
    net, z = model.network, model.network.embed(views)
    same = dense_gram_distance(views.shared_spatial, views.shared_expression)
    expected = {
        "zinb": 0.7 * zinb_heads(net.decode(z), net.head, net.head_bias, model.target),
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
    """Spatial-MGCN 9.10: label-blind ARI above 0.9 at high signal."""
    data, truth = layered()
    result = run("spatial_mgcn", data, Job(0, 3), variant, **LEARNING)
    assert adjusted_rand_score(truth, result.clusters) > 0.9
    assert set(result.trace[0]) == {"epoch", "loss", "zinb", "consistency", "spatial"}
    assert result.trace[-1]["loss"] < result.trace[0]["loss"]


def test_places_matter():
    """Spatial-MGCN 9.10: at low signal above PCA and k-means; destroyed coordinates lower it."""
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
    """Spatial-MGCN 4: the embedding of an epoch is the one its update was computed from."""
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


def test_mixture_head():
    """Spatial-MGCN 4: the optional mixture with one shared covariance."""
    data, truth = layered()
    found = run("spatial_mgcn", data, Job(0, 3), head="mixture", **LEARNING)
    assert adjusted_rand_score(truth, found.clusters) > 0.9
    assert "bic" in found.notes


def test_vote_only_where_asked_for():
    """Spatial-MGCN 4: no refinement by default."""
    data, _ = tissue()
    assert params("spatial_mgcn").refine == params("spatial_mgcn", "released").refine == 0
    plain = run("spatial_mgcn", data, Job(0, 3), **SMALL)
    voted = run("spatial_mgcn", data, Job(0, 3), refine=6, **SMALL)
    expected = majority_vote(plain.clusters, data.coordinates, 6, data.pitch)
    np.testing.assert_array_equal(voted.clusters, expected)
