"""Adjacency matrices and their normalisations against definitions, scanpy and PyTorch Geometric."""

from __future__ import annotations

import numpy as np
import pytest
import scipy.sparse as sp
import torch
from torch_geometric.nn import GCNConv

from methods.shared.graphs.neighbors import feature_knn
from methods.shared.graphs.radius import radius_graph
from methods.shared.graphs.weights import (
    adjacency,
    fuzzy_graph,
    gathering,
    normalized_adjacency,
    row_normalized,
    symmetrized,
    with_loops,
)
from tests.methods.toys import random_graph, rng, tissue


def test_a_path_is_symmetrized_and_normalized_by_hand():
    graph = symmetrized(adjacency(np.array([[1], [2], [1]])))
    assert (graph != graph.T).nnz == 0
    root = 1 / np.sqrt(2)
    expected = [[0, root, 0], [root, 0, root], [0, root, 0]]
    np.testing.assert_allclose(normalized_adjacency(graph).toarray(), expected, rtol=1e-6)
    assert normalized_adjacency(sp.csr_matrix((3, 3))).nnz == 0


@pytest.mark.parametrize("copies", [1, 20])
def test_rows_with_the_cell_itself_sum_to_k_with_unit_diagonal(copies):
    """Rows sum to 15 with a unit diagonal, and averaging leaves ones unchanged; duplicates too."""
    points = np.repeat(np.random.default_rng(0).normal(size=(40, 3)), copies, axis=0)
    graph = adjacency(feature_knn(points, 14)[0], itself=True)
    assert set(np.asarray(graph.sum(axis=1)).ravel()) == {15.0}
    assert (graph.diagonal() == 1).all()
    np.testing.assert_allclose(row_normalized(graph) @ np.ones(len(points)), 1, rtol=1e-6)


@pytest.mark.parametrize("loops", [1, 2])
def test_rows_with_loops_average(loops):
    """Rows average; with S_ii = 1 the diagonal is 2 / (row total + 1)."""
    data, _ = tissue()
    graph = radius_graph(data.coordinates, 409.0)
    found = row_normalized(with_loops(graph, loops))
    np.testing.assert_allclose(np.asarray(found.sum(axis=1)).ravel(), 1, rtol=1e-6)
    total = np.asarray(graph.sum(axis=1)).ravel() + (loops - 1)  # of S, its own loops included
    np.testing.assert_allclose(found.diagonal(), loops / (total + 1), rtol=1e-6)
    assert ((found > 0) != (found > 0).T).nnz == 0


@pytest.mark.parametrize("times", [1, 2])
def test_loops_are_added_to_the_diagonal(times):
    """A + I, or A + 2 I, in single precision; what is there already is added to."""
    graph = random_graph(9, 0.4).astype(np.float32)
    for looped in (graph, graph + np.eye(9, dtype=np.float32)):
        found = with_loops(sp.csr_matrix(looped), times)
        np.testing.assert_array_equal(found.toarray(), looped + times * np.eye(9))
        assert found.dtype == np.float32
        assert found.has_sorted_indices


def test_rows_without_an_edge_stay_empty():
    graph = sp.csr_matrix([[0, 2, 2], [0, 0, 0], [0, 0, 5]])
    expected = [[0, 0.5, 0.5], [0, 0, 0], [0, 0, 1]]
    np.testing.assert_array_equal(row_normalized(graph).toarray(), expected)


def test_gathering_is_the_propagation_of_pyg():
    """D^-1/2 B^T D^-1/2 with column sums, which is GCNConv along the arrows of B."""
    lists = (rng().random((12, 12)) < 0.25).astype(np.float32)
    np.fill_diagonal(lists, 1)
    assert (lists != lists.T).any()
    root = np.diag(lists.sum(axis=0) ** -0.5)
    found = gathering(sp.csr_matrix(lists))
    np.testing.assert_allclose(found.toarray(), root @ lists.T @ root, rtol=1e-6)
    layer = GCNConv(3, 3, bias=False)
    layer.lin.weight.data = torch.eye(3)
    x, edges = torch.randn(12, 3), torch.tensor(np.stack(lists.nonzero()))
    torch.testing.assert_close(torch.tensor(found.toarray()) @ x, layer(x, edges).detach())


def test_isolated_cells_keep_themselves():
    """With A + I their row is the unit vector."""
    lonely = np.zeros((4, 4), dtype=np.float32)
    lonely[0, 1] = lonely[1, 0] = 1
    rows = normalized_adjacency(with_loops(sp.csr_matrix(lonely))).toarray()
    np.testing.assert_allclose(rows, [[0.5, 0.5, 0, 0], [0.5, 0.5, 0, 0], [0, 0, 1, 0],
                                      [0, 0, 0, 1]], atol=1e-7)  # fmt: skip


def test_fuzzy_graph_as_in_scanpy():
    import scanpy as sc

    points = rng().normal(size=(200, 10))
    adata = sc.AnnData(points.copy())
    sc.pp.neighbors(adata, n_neighbors=15, use_rep="X")
    ours = fuzzy_graph(points, 15)
    np.testing.assert_allclose(ours.toarray(), adata.obsp["connectivities"].toarray(), atol=2e-4)
