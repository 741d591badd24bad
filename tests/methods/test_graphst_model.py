"""GraphST: formulas on small cases, dense reference, planted stripes."""

from __future__ import annotations

import math

import numpy as np
import pytest
import scipy.sparse as sp
import torch
from sklearn.decomposition import PCA
from sklearn.metrics import adjusted_rand_score
from torch.nn.functional import normalize, softplus

from methods.contract import Data, Job
from methods.graphst import model as graphst
from methods.graphst.inputs import propagation
from methods.graphst.model import Model
from methods.shared.expression.spots import scaled_log_expression
from methods.shared.graphs.neighbors import spatial_knn
from methods.shared.graphs.sections import majority_vote
from methods.shared.graphs.weights import adjacency
from methods.shared.nn.sparse import SparseMatrix
from methods.shared.training.loop import Training, fused_adam
from tests.methods.toys import params, run, tissue


def build(seed: int = 0, side: int = 8, **changes) -> Model:
    data, _ = tissue(side)
    chosen = params("graphst", **changes)
    neighbours = spatial_knn(data.coordinates, chosen.n_neighbors)
    return Model(
        scaled_log_expression(data.counts, chosen.n_genes), neighbours, chosen, Job(seed, 3)
    )


def dense(matrix: SparseMatrix) -> torch.Tensor:
    return matrix.forward.to_dense()


@pytest.mark.parametrize("kind", ["visium", "standard"])
def test_model_sees_scaled_log_expression_and_the_graph_asked_for(kind):
    """The adjacency asked for; log values of unit deviation, at most 10."""
    model, data = build(adjacency=kind), tissue(8)[0]
    expected = propagation(spatial_knn(data.coordinates, 3), kind)
    np.testing.assert_allclose(dense(model.graph), expected.toarray(), rtol=1e-6)
    counts = data.counts.toarray().astype(float)
    logged = np.log1p(1e4 * counts / counts.sum(axis=1, keepdims=True))
    scaled = np.minimum(logged / logged.std(axis=0, ddof=1), 10)
    np.testing.assert_allclose(dense(model.features), scaled, rtol=1e-4)


@pytest.mark.parametrize("factor", [3, -3])
def test_latent_is_linear_in_expression(factor):
    """Scaling expression, by a negative factor too, scales latent and components."""
    model = build()
    latent, components = model.latent(), model.components(5)
    model.features = SparseMatrix(
        scaled_log_expression(tissue(8)[0].counts, 3000) * np.float32(factor)
    )
    torch.testing.assert_close(model.latent(), factor * latent, rtol=1e-4, atol=1e-4)
    found = model.components(5)
    scale = np.abs(components).max()
    np.testing.assert_allclose(np.abs(found), 3 * np.abs(components), atol=1e-3 * scale)


@pytest.mark.parametrize("unit_rows", [False, True])
def test_components_are_those_of_the_reconstruction(unit_rows):
    """PCA through a Cholesky factor, also of rows scaled to unit length."""
    model = build(unit_rows=unit_rows)
    h = (model.latent() @ model.network.decoder).detach().double().numpy()
    if unit_rows:
        h /= np.linalg.norm(h, axis=1, keepdims=True)
    expected = PCA(10, svd_solver="full").fit_transform(h)
    scale = np.abs(expected).max()
    np.testing.assert_allclose(np.abs(model.components(10)), np.abs(expected), atol=1e-4 * scale)


def test_readout_averages_a_spot_and_its_neighbours():
    """Rows sum to 4 before averaging; a constant gives E / |E|, zeros give 0.5."""
    neighbours = spatial_knn(tissue(8)[0].coordinates, 3)
    assert set(np.asarray(adjacency(neighbours, itself=True).sum(axis=1)).ravel()) == {4.0}
    model = build()
    constant = torch.tensor([[3.0, 4.0]]).repeat(64, 1)
    summary = torch.sigmoid(normalize(model.readout @ constant, dim=1))
    torch.testing.assert_close(summary, torch.sigmoid(torch.tensor([[0.6, 0.8]])).repeat(64, 1))
    width = 2 * model.network.encoder.shape[1]
    nothing = torch.zeros(64, width, requires_grad=True)
    loss = model.contrast(nothing)  # every summary 0.5, every score the bias, 0
    assert loss.item() == pytest.approx(2 * math.log(2))
    assert torch.isfinite(torch.autograd.grad(loss, nothing)[0]).all()


def test_identical_views_cannot_be_told_apart(monkeypatch):
    """With no corruption both losses are equal, and at least log 2."""
    model = build()
    monkeypatch.setattr(torch, "randperm", lambda n, generator: torch.arange(n))
    found = model.step(0)["contrast"].item()
    e = torch.relu(model.graph @ (model.features @ model.network.encoder))
    g = torch.sigmoid(normalize(model.readout @ e, dim=1))
    logit = (e @ model.network.bilinear * g).sum(dim=1) + model.network.bias
    one = (softplus(-logit) + softplus(logit)).mean().item() / 2
    assert one >= math.log(2) - 1e-6
    assert found == pytest.approx(2 * one, rel=1e-5)


def test_a_loss_that_is_not_finite_is_named(monkeypatch):
    """Bad input: the run stops at the epoch, naming the component."""
    monkeypatch.setattr(Model, "contrast", lambda self, both: both.mean() * float("nan"))
    with pytest.raises(FloatingPointError, match="'contrast' is nan in epoch 1 of 5"):
        run("graphst", tissue(8)[0], Job(0, 3), epochs=5)


def test_votes_stay_within_a_section():
    """Several sections in one frame: refined as each by itself."""
    first, _ = tissue(7, seed=0)
    counts = sp.csr_matrix(sp.vstack([first.counts, tissue(7, seed=1)[0].counts]))
    both = Data(
        counts, first.genes, np.concatenate([first.coordinates, first.coordinates + 1.0]), 100.0,
        batch=np.repeat([0, 1], 49),
    )  # fmt: skip
    plain, voted = (run("graphst", both, Job(0, 3), epochs=5, refine=r).clusters for r in (0, 8))
    for part in (slice(0, 49), slice(49, 98)):
        expected = majority_vote(plain[part], both.coordinates[part], 8, 100.0)
        np.testing.assert_array_equal(voted[part], expected)


def test_decoder_gradient_in_closed_form():
    """It is -20 / (N G) Y^T (X - Y W2); the contrast does not touch the decoder."""
    model = build()
    torch.stack(list(model.step(0).values())).sum().backward()
    y, w, x = model.latent().detach(), model.network.decoder, dense(model.features)
    expected = -20 / x.numel() * y.T @ (x - y @ w.detach())
    torch.testing.assert_close(w.grad, expected, rtol=1e-3, atol=1e-6)


def test_decoder_approaches_least_squares_with_the_encoder_frozen():
    model = build(side=6, width=4)
    y, x = model.latent().detach(), dense(model.features)
    best = (x - y @ torch.linalg.lstsq(y, x).solution).square().mean().item()
    training = Training(Job(0), 1500, lambda: np.zeros(1))
    training.run(fused_adam([model.network.decoder], 0.02), model.step, 1500)
    assert training.trace[-1]["reconstruction"] / 10 == pytest.approx(best, rel=1e-2)


def dense_step(model: Model, order: torch.Tensor) -> torch.Tensor:
    """The equations with dense arrays and both passes written out."""
    x, a, m = dense(model.features), dense(model.graph), dense(model.readout)
    net = model.network
    z, z_other = a @ x @ net.encoder, a @ x[order] @ net.encoder
    e, e_other = z.relu(), z_other.relu()
    g, g_other = (torch.sigmoid(normalize(m @ v, dim=1)) for v in (e, e_other))

    def logit(left, right):
        return (left @ net.bilinear * right).sum(dim=1) + net.bias

    first = softplus(-logit(e, g)) + softplus(logit(e_other, g))
    second = softplus(-logit(e_other, g_other)) + softplus(logit(e, g_other))
    return 10 * (x - a @ z @ net.decoder).square().mean() + (first + second).mean() / 2


def test_twenty_steps_as_with_dense_arrays():
    """The same losses step by step, to 1e-4."""
    sparse, full = build(), build()
    weights = list(full.network.parameters())
    optimiser = torch.optim.Adam(weights, lr=1e-3)
    training = Training(Job(0), 20, lambda: np.zeros(1))
    training.run(fused_adam(list(sparse.network.parameters()), 1e-3), sparse.step, 20)
    for row in training.trace:
        order = torch.randperm(64, generator=full.shuffles)
        optimiser.zero_grad()
        loss = dense_step(full, order)
        loss.backward()
        optimiser.step()
        assert row["loss"] == pytest.approx(loss.item(), rel=1e-4)


def test_planted_stripes_are_found_and_the_graph_matters(monkeypatch):
    """Found with the graph; worse with self-loops only."""
    data, truth = tissue(18, genes=90, signal=0.8)
    found = run("graphst", data, Job(0, 3), epochs=500)
    with_graph = adjusted_rand_score(truth, found.clusters)
    assert with_graph > 0.9
    loops = sp.csr_matrix(np.eye(len(truth), dtype=np.float32))
    monkeypatch.setattr(graphst, "propagation", lambda neighbours, kind: loops)
    alone = run("graphst", data, Job(0, 3), epochs=500)
    assert adjusted_rand_score(truth, alone.clusters) < with_graph - 0.1


def test_permuting_spots_permutes_clusters():
    """The partition of shuffled spots is the shuffled partition.

    With more starts: after few steps mclust's own weighs 20 components alike and ends anywhere.
    """
    data, _ = tissue(14)
    order = np.random.default_rng(0).permutation(len(data.coordinates))
    mixed = Data(data.counts[order], data.genes, data.coordinates[order], data.pitch)
    first = run("graphst", data, Job(0, 3), "more_starts", epochs=150).clusters
    second = run("graphst", mixed, Job(0, 3), "more_starts", epochs=150).clusters
    assert adjusted_rand_score(first[order], second) > 0.9


def test_refinement_is_off_and_smooths_when_asked():
    """A majority of the nearest other spots, in one pass, after the mixture."""
    data, truth = tissue(12)
    assert params("graphst").refine == 0
    plain = run("graphst", data, Job(0, 3), epochs=10).clusters
    smooth = run("graphst", data, Job(0, 3), epochs=10, refine=12).clusters
    np.testing.assert_array_equal(smooth, majority_vote(plain, data.coordinates, 12))
    noisy = np.where(np.arange(len(truth)) % 7 == 0, (truth + 1) % 3, truth)
    refined = majority_vote(noisy, data.coordinates, 12)
    assert (refined == truth).mean() > (noisy == truth).mean() + 0.05


def test_duplicate_positions_and_empty_spots():
    data, _ = tissue(8)
    positions = data.coordinates.copy()
    positions[:10] = positions[0]
    counts = data.counts.copy()
    counts[3] = 0
    counts.eliminate_zeros()
    result = run("graphst", Data(counts, data.genes, positions, 100.0), Job(0, 3), epochs=5)
    assert np.isfinite(result.embedding).all()
