"""scGNN's graph autoencoder."""

from __future__ import annotations

import numpy as np
import pytest
import scipy.sparse as sp
import torch
from sklearn.cluster import KMeans
from sklearn.metrics import adjusted_rand_score

from methods.scgnn.graph_autoencoder import (
    Draws,
    GraphAutoencoder,
    binarised,
    divergence,
    without_some_edges,
)
from methods.shared.training.loop import fused_adam
from methods.shared.training.seeding import random_stream, torch_stream
from tests.methods.test_scgnn_cell_graph import graph, latent


def draws(seed: int = 0) -> Draws:
    torches = [torch_stream(seed, name) for name in ("weights", "noise", "pairs")]
    return Draws(*torches, random_stream(seed, "edges"))


@pytest.mark.parametrize("variational", [True, False])
def test_two_cliques_are_told_apart(variational):
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
    """A share of the undirected edges; what is left is still symmetric."""
    adjacency = graph()
    left = without_some_edges(adjacency, 0.15, random_stream(0, "edges"))
    assert abs(left - left.T).nnz == 0
    assert left.nnz == adjacency.nnz - 2 * int(0.15 * adjacency.nnz / 2)
    assert (adjacency - left).min() == 0
    assert abs(without_some_edges(adjacency, 0.0, random_stream(0, "edges")) - adjacency).nnz == 0
