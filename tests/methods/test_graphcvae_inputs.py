"""The graphs of GraphCVAE on small cases."""

from __future__ import annotations

import numpy as np
import scipy.sparse as sp
import torch
from torch_geometric.nn import GCNConv

from methods.graphcvae.inputs import propagation, readout


def digraph(*edges: tuple[int, int], n: int = 4) -> sp.csr_matrix:
    row, column = zip(*edges, strict=True)
    return sp.csr_matrix((np.ones(len(edges), dtype=np.float32), (row, column)), shape=(n, n))


def test_directed_propagation_is_that_of_the_equation_and_of_pyg():
    """It is D^-1/2 (K + I)^T D^-1/2, as in GCNConv; a spot that nobody chose returns itself."""
    graph = digraph((0, 1), (0, 2), (1, 2), (3, 1), (2, 1))
    found = propagation(graph, "directed").toarray()
    looped = graph.toarray() + np.eye(4)
    scale = np.diag(1 / np.sqrt(looped.sum(axis=0)))
    np.testing.assert_allclose(found, scale @ looped.T @ scale, rtol=1e-6)
    np.testing.assert_array_equal(found[0], [1, 0, 0, 0])
    np.testing.assert_array_equal(found[3], [0, 0, 0, 1])
    edges = torch.tensor(np.array(looped.nonzero()))
    layer = GCNConv(4, 4, bias=False, add_self_loops=True)
    layer.lin.weight.data = torch.eye(4)
    np.testing.assert_allclose(layer(torch.eye(4), edges).detach(), found, rtol=1e-6)


def test_symmetric_propagation_and_readout_by_hand():
    """As described: either direction is kept; the summary averages the same neighbours."""
    graph = digraph((0, 1), (1, 2), n=3)
    a = np.array([[1, 1, 0], [1, 1, 1], [0, 1, 1]])
    root = np.sqrt(a.sum(axis=1))
    expected = a / np.outer(root, root)
    np.testing.assert_allclose(propagation(graph, "symmetric").toarray(), expected, rtol=1e-6)
    mean = a / a.sum(axis=1, keepdims=True)
    np.testing.assert_allclose(readout(graph, "neighbourhood").toarray(), mean, rtol=1e-6)
    assert readout(graph, "identity") is None
