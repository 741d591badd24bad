"""scTAG on planted data: both variants, centres, labels and the start."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from scipy.stats import entropy
from sklearn.metrics import adjusted_rand_score, pairwise_distances

from methods.contract import Job
from methods.sctag.inputs import prepare
from methods.sctag.model import Model, loss_over_no_edges
from methods.shared.losses.zinb import zinb_heads
from tests.methods.toys import cells, params, run

QUICK = {"epochs": 20, "cluster_epochs": 17}


def model(variant: str = "described", **changes) -> tuple[Model, np.ndarray]:
    data, truth = cells()
    chosen = params("sctag", variant, **changes)
    built = Model(prepare(data.counts, chosen), chosen, Job(0, 3))
    built.centres = built.class_means(truth, 3)
    return built, truth


@pytest.mark.parametrize("variant", ["described", "released"])
def test_planted_groups_are_found(variant):
    data, truth = cells()
    result = run("sctag", data, Job(0, 3), variant, **QUICK)
    assert adjusted_rand_score(truth, result.clusters) > 0.9
    assert result.embedding.shape == (90, 15)
    assert len(result.trace) == 37


def test_spectral_start_stands_beside_the_result():
    """Always, not only where snapshots are asked for."""
    data, truth = cells()
    (only,) = run("sctag", data, Job(0, 3), **QUICK).snapshots
    result = run("sctag", data, Job(0, 3, snapshots=2), **QUICK)
    assert [epoch for epoch, _ in result.snapshots] == [0, 18, 37]
    assert adjusted_rand_score(truth, result.snapshots[0][1]) > 0.9
    np.testing.assert_array_equal(result.snapshots[-1][1], result.clusters)
    assert only[0] == 0
    np.testing.assert_array_equal(only[1], result.snapshots[0][1])


@pytest.mark.parametrize(("variant", "moves"), [("described", True), ("released", False)])
def test_centres_move_only_where_trained(variant, moves, monkeypatch):
    """Frozen centres are bit-identical before and after."""
    seen = []
    original = Model.class_means

    def remember(self, labels, n_clusters):
        centres = original(self, labels, n_clusters)
        seen.append((centres, centres.clone()))
        return centres

    monkeypatch.setattr(Model, "class_means", remember)
    run("sctag", cells()[0], Job(0, 3), variant, **QUICK)
    live, before = seen[-1]
    assert torch.equal(live.detach(), before) is not moves


@pytest.mark.parametrize(("variant", "at_refresh"), [("described", False), ("released", True)])
def test_labels_of_the_end_or_of_the_last_refresh(variant, at_refresh):
    """Released reads them off the target's last refresh, described off the end.

    Centres change places before the refresh of step 8 and again before step 9, so every cell
    would be read otherwise.
    """
    built, truth = model(variant)
    assert built.params.refresh == 8
    labels = built.clusters(truth, 3)
    for epoch in range(16):
        if epoch in (8, 9):
            built.centres = built.centres.roll(1, dims=0)
        built.cluster_step(epoch)
    moved = (labels + 1) % 3 if at_refresh else (labels + 2) % 3
    np.testing.assert_array_equal(built.clusters(truth, 3), moved)


@pytest.mark.parametrize(("variant", "of_target"), [("described", True), ("released", False)])
def test_self_training_adds_the_divergence_in_the_direction_of_the_variant(variant, of_target):
    """KL(p, q) as described, KL(q, p) as released; the losses weigh 0.3, 1 and 1.5."""
    built, _ = model(variant)
    built.centres = built.centres.lerp(built.centres.roll(1, dims=0), 0.3)
    with torch.no_grad():
        z = built.encode()
        losses = built.cluster_step(0)
    q = 1 / (1 + pairwise_distances(z, built.centres) ** 2)
    q /= q.sum(axis=1, keepdims=True)
    p = q**2 / q.sum(axis=0)
    p /= p.sum(axis=1, keepdims=True)
    forward, backward = entropy(p, q, axis=1).mean(), entropy(q, p, axis=1).mean()
    assert abs(forward - backward) > 0.05 * forward
    wanted = forward if of_target else backward
    assert losses["clustering"].item() == pytest.approx(1.5 * wanted, rel=1e-4)
    net = built.network
    hidden, h = z, net.to_graph(z)
    for layer in net.decoder:
        hidden = torch.relu(layer(hidden))
    zinb = zinb_heads(hidden, net.head_weight, net.head_bias, built.target)
    assert losses["zinb"].item() == pytest.approx(zinb.item(), rel=1e-5)
    graph = built.graph_loss(h @ net.bilinear, h)
    assert losses["graph"].item() == pytest.approx(0.3 * graph.item(), rel=1e-5)


def test_empty_classes_restart_at_the_farthest_cells():
    built, truth = model()
    merged = np.minimum(truth, 1)
    centres = built.class_means(merged, 4)
    assert centres.shape == (4, 15)
    z = built.encode().detach()
    assert all((z - centre).abs().sum(dim=1).min() < 1e-5 for centre in centres[2:])


def test_permuting_cells_permutes_clusters():
    """Up to the initial spectral rotation, hence compared as partitions."""
    data, _ = cells()
    order = np.random.default_rng(1).permutation(90)
    mixed = type(data)(data.counts[order], data.genes)
    first = run("sctag", data, Job(0, 3), **QUICK).clusters
    second = run("sctag", mixed, Job(0, 3), **QUICK).clusters
    assert adjusted_rand_score(first[order], second) > 0.95


def test_permuting_cells_permutes_the_embedding():
    """With the same weights every cell keeps its row, whatever its index."""
    data, _ = cells()
    order = np.random.default_rng(1).permutation(90)
    mixed = type(data)(data.counts[order], data.genes)
    chosen = params("sctag")
    first, second = (Model(prepare(d.counts, chosen), chosen, Job(0, 3)) for d in (data, mixed))
    torch.testing.assert_close(second.encode(), first.encode()[order], rtol=1e-3, atol=1e-4)


def test_permuting_genes_leaves_the_embedding():
    """Genes in another order, with their weights, give the same cells."""
    data, _ = cells()
    order = np.random.default_rng(1).permutation(60)
    mixed = type(data)(data.counts[:, order], data.genes[order])
    chosen = params("sctag")
    first, second = (Model(prepare(d.counts, chosen), chosen, Job(0, 3)) for d in (data, mixed))
    weight = second.network.first.weight
    weight.data = weight.data[:, order]
    torch.testing.assert_close(second.encode(), first.encode(), rtol=1e-3, atol=1e-4)


def test_a_collapsed_graph_decoder_shows():
    """The ratio is 1 where the decoder says that there is no edge at all."""
    none = 0.3 * 15 / 500
    trace = [
        {"graph": 9.0},
        *[{"graph": none / 2}] * 20,
        *[{"graph": none, "clustering": 1.0}] * 30,
    ]
    told = loss_over_no_edges(trace, 500, 15)
    assert told == pytest.approx({"pretraining": 0.5, "clustering": 1.0})
    result = run("sctag", cells()[0], Job(0, 3), **QUICK)
    last = np.mean([row["graph"] for row in result.trace[20:]]) / 0.3 * 90 / 15
    assert result.notes["graph_loss_over_no_edges"]["clustering"] == pytest.approx(last)


def test_sampled_graph_loss_is_declared():
    data, _ = cells()
    result = run("sctag", data, Job(0, 3), exact_graph_up_to=50, **QUICK)
    assert result.notes["graph_loss"] == "sampled"
    assert run("sctag", data, Job(0, 3), **QUICK).notes["graph_loss"] == "exact"


def test_number_of_clusters_by_eigengap():
    data, _ = cells(150)
    result = run("sctag", data, Job(0, None), **QUICK)
    assert "eigengap" in result.notes["k_rule"]
    assert len(np.unique(result.clusters)) == 3
