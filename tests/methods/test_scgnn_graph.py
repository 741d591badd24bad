"""scGNN's cell graph, number of clusters, change between rounds and graph autoencoder."""

from __future__ import annotations

from itertools import pairwise

import numpy as np
import pytest
import scipy.sparse as sp
import torch
from scipy.spatial.distance import cdist
from sklearn.cluster import KMeans
from sklearn.ensemble import IsolationForest
from sklearn.metrics import adjusted_rand_score
from torch.nn.functional import binary_cross_entropy_with_logits

from methods.scgnn import losses
from methods.scgnn.cell_graph import cell_graph, kept_by_distance, last_listed
from methods.scgnn.convergence import graph_change
from methods.scgnn.graph_autoencoder import (
    Draws,
    GraphAutoencoder,
    binarised,
    divergence,
    with_loops,
    without_some_edges,
)
from methods.scgnn.isolation_forest import expected_path, isolated, mean_paths
from methods.scgnn.losses import InnerProductDecoder
from methods.scgnn.louvain_kmeans import (
    clusters_from_communities,
    louvain_communities,
    merge_small,
    partition,
)
from methods.shared.graphs.neighbors import feature_knn
from methods.shared.graphs.weights import normalized_adjacency
from methods.shared.losses.graph import softplus_pairs
from methods.shared.training.loop import fused_adam
from methods.shared.training.seeding import random_stream, torch_stream

LINE = np.append(np.arange(12.0), 30.0)[:, None]


def latent(n: int = 60, d: int = 6, seed: int = 0) -> np.ndarray:
    return np.random.default_rng(seed).normal(size=(n, d)).astype(np.float32)


def graph(n: int = 60, seed: int = 0, **changes) -> sp.csr_matrix:
    settings = {"n_neighbors": 5, "prune": "statistic", "everywhere": True, **changes}
    return cell_graph(latent(n, seed=seed), rng=random_stream(0, "forest"), **settings).network


def draws(seed: int = 0) -> Draws:
    torches = [torch_stream(seed, name) for name in ("weights", "noise", "pairs")]
    return Draws(*torches, random_stream(seed, "edges"))


def dense_loss(adjacency: np.ndarray, z: torch.Tensor) -> torch.Tensor:
    """Weighted cross-entropy with logits over all pairs, as the public code forms it."""
    n, edges = len(adjacency), adjacency.sum()
    target = torch.as_tensor(adjacency + np.eye(n), dtype=z.dtype)
    weight = torch.tensor((n**2 - edges) / edges, dtype=z.dtype)
    mean = binary_cross_entropy_with_logits(z @ z.T, target, pos_weight=weight)
    return n**2 / (2 * (n**2 - edges)) * mean


def test_far_neighbours_are_dropped_exactly_by_the_rule():
    """scGNN 9: an edge goes iff its distance exceeds mean + s.d. of the cell's own."""
    _, distance = feature_knn(LINE, 4)
    kept = kept_by_distance(distance)
    for cell in range(len(LINE)):
        limit = distance[cell].mean() + distance[cell].std()
        np.testing.assert_array_equal(kept[cell], distance[cell] <= limit)
    assert not kept[12].all()
    nearest = np.array([[1.0, 1.1, 1.2, 9.0]])
    np.testing.assert_array_equal(kept_by_distance(nearest), [[True, True, True, False]])


def test_no_cell_neighbours_itself_even_among_duplicates():
    """scGNN 9: duplicates, symmetry, zero diagonal."""
    features = latent()
    features[10:40] = features[10]
    built = cell_graph(features, 5, "statistic", True, random_stream(0, "f")).network
    assert not built.diagonal().any()
    assert abs(built - built.T).nnz == 0
    assert set(np.unique(built.data)) == {1.0}


def test_neighbours_equal_those_of_the_full_distance_matrix():
    """scGNN 9: blocked search against the unblocked one."""
    features = latent(300)
    full = cdist(features, features)
    np.fill_diagonal(full, np.inf)
    found, distance = feature_knn(features, 7)
    np.testing.assert_array_equal(found, np.argsort(full, axis=1)[:, :7])
    np.testing.assert_allclose(distance, np.sort(full, axis=1)[:, :7], rtol=1e-5)


@pytest.mark.parametrize("prune", ["statistic", "forest"])
def test_dropped_edges_reach_the_networks_only_as_released(prune):
    """scGNN 10."""
    features = latent()
    settings = (5, prune)
    described = cell_graph(features, *settings, True, random_stream(0, "f"))
    released = cell_graph(features, *settings, False, random_stream(0, "f"))
    unpruned = cell_graph(features, 5, "none", True, random_stream(0, "f")).network
    dropped = unpruned - described.network
    assert dropped.nnz > 0
    assert (dropped.data == 1).all()
    assert described.network.multiply(dropped).nnz == 0
    assert abs(released.network - unpruned).nnz == 0
    assert released.communities.nnz < unpruned.nnz


def test_the_larger_index_decides_mutual_edges_as_released():
    """scGNN section 3.2: the direction listed last overwrites the other."""
    neighbours = np.array([[1, 2], [0, 2], [0, 1], [0, 1]])
    kept = np.array([[False, True], [True, True], [False, False], [True, False]])
    expected = np.zeros((4, 4))
    expected[1, 0] = expected[3, 0] = 1  # 1-0 kept by 1; 2-0 and 2-1 dropped by 2; 3-1 by 3
    np.testing.assert_array_equal(last_listed(neighbours, kept).toarray(), expected + expected.T)


def test_change_equals_its_dense_form():
    """scGNN 11: blend of first graph and present one, both rounds."""
    first, one, two = (graph(seed=s) for s in range(3))
    reference = normalized_adjacency(first).toarray().astype(float)

    def share(a):
        dense = a.toarray().astype(float)
        return dense / np.maximum(dense.sum(axis=0), 1)

    blends = [reference, *(0.5 * reference + 0.5 * share(a) for a in (one, two))]
    scale = np.abs(reference).mean()
    changes = [np.abs(b - a).mean() / scale for a, b in pairwise(blends)]
    assert graph_change(first, None, one) == pytest.approx(changes[0], rel=1e-5)
    assert graph_change(first, one, two) == pytest.approx(changes[1], rel=1e-5)


def test_change_of_identical_and_of_renamed_graphs():
    """scGNN 11: none; the same under any order of cells."""
    first, one, two = (graph(seed=s) for s in range(3))
    assert graph_change(first, one, one) == 0
    order = np.random.default_rng(0).permutation(60)
    mixed = [g[order][:, order] for g in (first, one, two)]
    assert graph_change(*mixed) == pytest.approx(graph_change(first, one, two), rel=1e-6)
    empty = sp.csr_matrix((60, 60), dtype=np.float32)
    assert graph_change(empty, None, empty) == 0


@pytest.mark.parametrize("block", [7, 256])
def test_softplus_over_all_pairs(block):
    rows, columns = (torch.randn(n, 5, dtype=torch.float64, generator=torch_stream(n, "x")) * 3
                     for n in (40, 30))  # fmt: skip
    rows.requires_grad_(), columns.requires_grad_()
    expected = torch.nn.functional.softplus(rows @ columns.T).sum()
    wanted = torch.autograd.grad(expected, [rows, columns])
    value, *found = softplus_pairs(rows.detach(), columns.detach(), block)
    torch.testing.assert_close(value, expected.detach())
    torch.testing.assert_close(found, list(wanted))


def test_softplus_survives_large_products():
    value, gradient = softplus_pairs(*[torch.full((4, 1), 30.0)] * 2)
    assert value == pytest.approx(16 * 900)
    assert torch.isfinite(gradient).all()


@pytest.mark.parametrize("rows", [7, 60])
def test_blocked_loss_is_the_dense_one(rows, monkeypatch):
    """scGNN 12: value and gradient against cross-entropy with logits, some rows at a time."""
    whole = losses.softplus_pairs
    monkeypatch.setattr(losses, "softplus_pairs", lambda a, b: whole(a, b, block=rows))
    adjacency = graph()
    z = torch.randn(60, 16, dtype=torch.float64, generator=torch_stream(0, "z"))
    z.requires_grad_()
    decoder = InnerProductDecoder(with_loops(adjacency).astype(np.float64), 60, None)
    expected = dense_loss(adjacency.toarray(), z)
    found = decoder(z)
    torch.testing.assert_close(found, expected)
    torch.testing.assert_close(
        torch.autograd.grad(found, z), torch.autograd.grad(expected, z), rtol=1e-6, atol=1e-9
    )


def test_sampled_loss_is_unbiased():
    """scGNN 12: mean over 1,000 draws within 1 %, gradients too."""
    adjacency = graph()
    z = 0.7 * torch.randn(60, 16, generator=torch_stream(0, "z"))
    z.requires_grad_()
    sampled = InnerProductDecoder(with_loops(adjacency), 10, torch_stream(0, "pairs"), columns=12)
    assert not sampled.exact
    values, total = [], torch.zeros_like(z)
    for _ in range(1000):
        loss = sampled(z)
        values.append(float(loss.detach()))
        total += torch.autograd.grad(loss, z)[0]
    expected = dense_loss(adjacency.toarray(), z)
    assert np.mean(values) == pytest.approx(expected.item(), rel=0.01)
    gradient = torch.autograd.grad(expected, z)[0]
    assert torch.linalg.norm(total / 1000 - gradient) < 0.05 * torch.linalg.norm(gradient)


def test_propagation_of_isolated_cells():
    """scGNN 12: their row is the unit vector."""
    lonely = np.zeros((4, 4), dtype=np.float32)
    lonely[0, 1] = lonely[1, 0] = 1
    rows = normalized_adjacency(with_loops(sp.csr_matrix(lonely))).toarray()
    np.testing.assert_allclose(rows, [[0.5, 0.5, 0, 0], [0.5, 0.5, 0, 0], [0, 0, 1, 0],
                                      [0, 0, 0, 1]], atol=1e-7)  # fmt: skip


@pytest.mark.parametrize("variational", [True, False])
def test_two_cliques_are_told_apart(variational):
    """scGNN 12."""
    clique = np.ones((15, 15), dtype=np.float32) - np.eye(15, dtype=np.float32)
    adjacency = sp.csr_matrix(sp.block_diag([clique, clique]))
    network = GraphAutoencoder(
        adjacency, binarised(latent(30, 40)), variational, 100, draws(), "cpu"
    )
    optimiser = fused_adam(list(network.parameters()), 0.01)
    for epoch in range(200):
        optimiser.zero_grad()
        torch.stack(list(network.step(epoch).values())).sum().backward()
        optimiser.step()
    labels = KMeans(2, n_init=10, random_state=0).fit_predict(network.embedding.numpy())
    assert adjusted_rand_score(np.repeat([0, 1], 15), labels) == 1


def test_divergence_is_that_of_normals_over_cells_twice():
    mean, log_sd = torch.tensor([[1.0, 0.0], [0.5, 2.0]]), torch.tensor([[0.0, 0.3], [-1.0, 0.0]])
    q = torch.distributions.Normal(mean, log_sd.exp())
    exact = torch.distributions.kl_divergence(q, torch.distributions.Normal(0.0, 1.0))
    torch.testing.assert_close(divergence(mean, log_sd), exact.sum(dim=1).mean() / 2)


def test_held_out_edges_are_gone():
    """scGNN section 3.3: a share of the undirected edges, still symmetric."""
    adjacency = graph()
    left = without_some_edges(adjacency, 0.15, random_stream(0, "edges"))
    assert abs(left - left.T).nnz == 0
    assert left.nnz == adjacency.nnz - 2 * int(0.15 * adjacency.nnz / 2)
    assert (adjacency - left).min() == 0
    assert abs(without_some_edges(adjacency, 0.0, random_stream(0, "edges")) - adjacency).nnz == 0


@pytest.mark.parametrize(
    ("communities", "n_cells", "clusters"),
    [(6, 1999, 4), (3, 1999, 2), (5, 1999, 4), (9, 2000, 4), (5, 2000, 2), (6, 2000, 3),
     (1, 100, 2), (40, 1000, 32), (1, 1, 1)],
)  # fmt: skip
def test_number_of_clusters(communities, n_cells, clusters):
    """scGNN 13: 0.8 of Louvain's communities below 2,000 cells, else half, at least 2."""
    assert clusters_from_communities(communities, n_cells) == clusters


def test_louvain_counts_communities():
    clique = sp.csr_matrix(np.ones((8, 8), dtype=np.float32) - np.eye(8, dtype=np.float32))
    assert louvain_communities(sp.csr_matrix(sp.block_diag([clique] * 5)), 0) == 5
    labels = partition(sp.csr_matrix(sp.block_diag([clique] * 5)), np.repeat(np.eye(5), 8, axis=0),
                       None, random_stream(0, "k"), False)  # fmt: skip
    assert len(np.unique(labels)) == 4
    assert len(np.unique(partition(clique, latent(8), 3, random_stream(0, "k"), False))) == 3


def test_small_clusters_are_merged():
    """scGNN section 3.4: into the nearest centroid, or all into one bucket."""
    labels = np.repeat([0, 1, 2, 3], [10, 10, 4, 5])
    features = np.repeat([[0.0], [5.0], [4.0], [0.5]], [10, 10, 4, 5], axis=0)
    np.testing.assert_array_equal(
        merge_small(labels, features, False), np.repeat([0, 1, 1, 2], [10, 10, 4, 5])
    )
    np.testing.assert_array_equal(
        merge_small(labels, features, True), np.repeat([0, 1, 2, 2], [10, 10, 4, 5])
    )
    assert len(np.unique(merge_small(np.arange(40) % 10, np.zeros((40, 1)), False))) == 10


def test_forest_isolates_like_scikit_learn():
    """Mean path lengths against an IsolationForest on the same points."""
    points = latent(4 * 11, 20).reshape(4, 11, 20).astype(float)
    points[:, 10] += 4
    ours = mean_paths(points, random_stream(0, "forest"))
    for cell in range(4):
        forest = IsolationForest(n_estimators=300, random_state=0).fit(points[cell])
        score = -forest.score_samples(points[cell])
        np.testing.assert_allclose(2 ** -(ours[cell] / expected_path(11)), score, atol=0.04)


def test_forest_marks_outliers_and_bears_constant_features():
    features = np.zeros((12, 8))
    features[:, 0] = np.append(np.arange(11) * 0.1, 50.0)
    neighbours = np.array([[j for j in range(12) if j != i] for i in range(12)])
    far = isolated(features, neighbours, random_stream(0, "forest"))
    assert far[:11, 10].all()
    assert far[:11, :10].mean() < 0.5
    assert not isolated(np.ones((12, 3)), neighbours, random_stream(0, "forest")).any()
