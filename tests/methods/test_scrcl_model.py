"""scRCL as a whole: identities, symmetries, learning, votes."""

from __future__ import annotations

import numpy as np
import pytest
import scipy.sparse as sp
import torch
from sklearn.metrics import adjusted_rand_score
from torch.nn.functional import leaky_relu, normalize
from torch_geometric.nn import GCNConv

from methods.contract import Data, Job
from methods.scrcl.inputs import Inputs
from methods.scrcl.model import Model, prepare
from methods.shared.graphs.sections import majority_vote
from tests.methods.toys import cells, params, run, tissue

SMALL = {"width": 40, "epochs": 15}


LEARNING = {"width": 200, "epochs": 60, "learning_rate": 1e-3, "weight_decay": 1e-3}


def build(data: Data, seed: int = 0, **changes) -> Model:
    chosen = params("scrcl", **{"width": 40, **changes})
    return Model(prepare(data, chosen), 3, chosen, Job(seed, 3))


def dense_views(model: Model) -> tuple[torch.Tensor, torch.Tensor]:
    """The layers written out on smoothed dense features."""
    net, slope = model.network, 0.01
    x = model.features.matrix.forward.to_dense()
    s = model.smooth.matrix.forward.to_dense()
    smooth = [torch.linalg.matrix_power(s, hops) @ x for hops in model.hops]
    mlp = torch.relu(smooth[0] @ net.mlp + net.mlp_bias)
    h = leaky_relu(s @ smooth[1] @ net.first + net.first_bias, slope)
    h = leaky_relu(s @ h @ net.second + net.second_bias, slope)
    return mlp, leaky_relu(h @ net.last + net.last_bias, slope)


@pytest.mark.parametrize("hops", [(0, 0), (5, 0), (4, 2), (10, 8)])
@pytest.mark.parametrize("toy", [cells, tissue])
def test_reassociated_products_equal_the_dense_path(toy, hops):
    """S^a (X W) for (S^a X) W, X^T (S^a W) for (S^a X)^T W, x (W^T Y) for (x W^T) Y."""
    model = build(toy()[0], mlp_hops=hops[0], gcn_hops=hops[1])
    mlp, gcn = dense_views(model)
    views = model.views()
    torch.testing.assert_close(views.mlp, mlp, rtol=1e-4, atol=1e-4)
    torch.testing.assert_close(views.gcn, gcn, rtol=1e-4, atol=1e-4)
    net, x = model.network, model.features.matrix.forward.to_dense()
    s = model.smooth.matrix.forward.to_dense()
    smoothed = torch.linalg.matrix_power(s, hops[0]) @ x
    graph = model.gene_graph.forward.to_dense()
    genes = torch.relu(graph @ smoothed.T @ net.genes + net.genes_bias)
    torch.testing.assert_close(model.gene_embeddings(), genes, rtol=1e-4, atol=1e-4)
    projected = [view @ net.projector + net.projector_bias for view in (mlp, gcn)]
    expected = [normalize(rows @ genes, dim=1) for rows in projected]
    for z, other in zip(model.refine(views, (None, None)), expected, strict=True):
        torch.testing.assert_close(z, other, rtol=1e-3, atol=1e-4)


def test_graph_view_is_that_of_pyg():
    """Two GCNConv layers and a linear one, leaky ReLU after each."""
    data, _ = cells()
    model = build(data)
    graph = prepare(data, params("scrcl")).cells
    edges, net = torch.tensor(np.stack(graph.nonzero())), model.network
    h = model.features.matrix.forward.to_dense()
    for weight, bias in ((net.first, net.first_bias), (net.second, net.second_bias)):
        layer = GCNConv(*weight.shape)
        layer.lin.weight.data, layer.bias.data = weight.data.T, bias.data
        h = leaky_relu(layer(h, edges), 0.01)
    h = leaky_relu(h @ net.last + net.last_bias, 0.01)
    torch.testing.assert_close(model.views().gcn, h, rtol=1e-4, atol=1e-4)


def permuted(inputs: Inputs, cell: np.ndarray, gene: np.ndarray) -> Inputs:
    return Inputs(
        sp.csr_matrix(inputs.features[cell][:, gene]),
        sp.csr_matrix(inputs.cells[cell][:, cell]),
        sp.csr_matrix(inputs.genes[gene][:, gene]),
    )


def test_embedding_follows_cells_and_ignores_order_of_genes_and_scale_of_projector():
    """Z follows the cells, and sees neither the order of genes nor a positive factor."""
    data, _ = cells()
    chosen = params("scrcl", width=40)
    inputs, rng = prepare(data, chosen), np.random.default_rng(0)
    plain = Model(inputs, 3, chosen, Job(0, 3))
    cell, gene = rng.permutation(90), rng.permutation(60)
    mixed = Model(permuted(inputs, cell, gene), 3, chosen, Job(0, 3))
    with torch.no_grad():
        for name in ("mlp", "first"):
            getattr(mixed.network, name).copy_(getattr(plain.network, name)[gene])
        mixed.network.projector.copy_(4 * plain.network.projector[:, gene])
        mixed.network.projector_bias.copy_(4 * plain.network.projector_bias[gene])
        mixed.network.genes.copy_(plain.network.genes[cell])
    np.testing.assert_allclose(mixed.embedding(), plain.embedding()[cell], atol=1e-4)


def test_each_half_of_the_embedding_has_unit_rows():
    """Z = [z1, z2], cells x twice the number of clusters."""
    result = run("scrcl", cells()[0], Job(0, 3), **SMALL)
    assert result.embedding.shape == (90, 6)
    for half in np.split(result.embedding, 2, axis=1):
        np.testing.assert_allclose(np.linalg.norm(half, axis=1), 1, rtol=1e-5)
    wide = run("scrcl", cells()[0], Job(0, 3), refined=10, **SMALL)
    assert wide.embedding.shape == (90, 20)


def test_projector_and_gene_encoder_learn_from_consistency_only():
    """The alignment losses leave no gradient on them."""
    model = build(cells()[0], dropout=0.0)
    losses = model.step(0)
    refiners = ("projector", "projector_bias", "genes", "genes_bias")
    weights = [getattr(model.network, name) for name in refiners]
    aligned = torch.autograd.grad(
        losses["distribution"], weights, retain_graph=True, allow_unused=True
    )
    assert all(gradient is None for gradient in aligned)
    assert all(g.abs().sum() > 0 for g in torch.autograd.grad(losses["consistency"], weights))


@pytest.mark.parametrize("toy", [cells, tissue])
def test_planted_groups_are_found(toy):
    """With the decay below the losses' gradients the refined views find the groups."""
    data, truth = toy()
    result = run("scrcl", data, Job(0, 3), **LEARNING)
    assert adjusted_rand_score(truth, result.clusters) > 0.9
    assert set(result.trace[0]) == {"epoch", "loss", "distribution", "neighbours", "consistency"}
    assert result.trace[-1]["loss"] < 0.3 * result.trace[0]["loss"]


def test_votes_are_reported_both_ways():
    """Off as described, 50 spots as released, never without coordinates."""
    data, _ = tissue()
    assert params("scrcl").refine == 0
    assert params("scrcl", "released").refine == params("scrcl", "smoothed").refine == 50
    plain = run("scrcl", data, Job(0, 3), **SMALL)
    voted = run("scrcl", data, Job(0, 3), refine=12, **SMALL)
    expected = majority_vote(plain.clusters, data.coordinates, 12, data.pitch)
    np.testing.assert_array_equal(voted.clusters, expected)
    assert plain.notes["changed_by_vote"] == 0
    assert voted.notes["changed_by_vote"] == np.mean(expected != plain.clusters) > 0
    assert run("scrcl", cells()[0], Job(0, 3), refine=12, **SMALL).notes["changed_by_vote"] == 0


def test_number_of_clusters_by_eigengap():
    data, _ = cells(150)
    result = run("scrcl", data, Job(0, None), **SMALL)
    assert "eigengap" in result.notes["k_rule"]
    assert result.notes["refined"] == len(np.unique(result.clusters)) == 3
