"""The weights of scGNN's imputation loss."""

from __future__ import annotations

import numpy as np
import scipy.sparse as sp
import torch

from methods.scgnn.blocks import Output
from methods.scgnn.imputation import cell_weights, completed
from methods.shared.training.seeding import torch_stream


def test_graph_and_cluster_terms_are_weights_of_cells():
    """The sums of A E^2 and B E^2 against dense products, and their gradients."""
    rng = np.random.default_rng(0)
    upper = np.triu(rng.random((20, 20)) < 0.2, 1)
    adjacency = (upper | upper.T).astype(float)
    clusters = rng.integers(3, size=20)
    agree = (clusters[:, None] == clusters[None]).astype(float)
    a, b = torch.as_tensor(adjacency), torch.as_tensor(agree)
    e = torch.randn(20, 7, dtype=torch.float64, generator=torch_stream(0, "e"), requires_grad=True)
    expected = 0.3 * (a @ e.square()).sum() + 0.1 * (b @ e.square()).sum()
    weight = torch.as_tensor(cell_weights(adjacency.sum(axis=1), clusters, 0.3, 0.1))
    found = (weight[:, None] * e.square()).sum()
    torch.testing.assert_close(found, expected)
    torch.testing.assert_close(torch.autograd.grad(found, e), torch.autograd.grad(expected, e))


def test_imputed_values_return_to_the_depth_of_their_cell():
    """A network that says log(1 + 3) of both cells and genes; the third gene stays as it came."""
    counts = sp.csr_matrix(np.array([[1, 5, 0], [0, 7, 2]], dtype=np.float32))
    says = torch.full((2,), np.log(4.0), dtype=torch.float32)
    nothing = torch.zeros(2, 4)
    output = Output(torch.arange(2), nothing, nothing, torch.zeros(2, 4), says)
    depth = np.array([0.5, 2.0])
    (found,) = completed(counts, np.array([0, 2]), output, depth)
    np.testing.assert_allclose(found, [[1.5, 5, 1.5], [6, 7, 6]], rtol=1e-6)
