"""The graphs and features of scRCL against scikit-learn, scanpy and PyTorch Geometric."""

from __future__ import annotations

import numpy as np
import pytest
import scanpy as sc
import scipy.sparse as sp
import torch
from anndata import AnnData
from sklearn.neighbors import NearestNeighbors, kneighbors_graph
from torch_geometric.nn import GCNConv

from methods.contract import Data
from methods.scrcl import inputs
from methods.scrcl.inputs import cells_of, gene_neighbours, gene_propagation, spots_of
from methods.shared.graphs import neighbors
from methods.shared.graphs.weights import normalized_adjacency
from tests.methods.toys import cells, tissue


def scanpy_cells(data: Data, n_genes: int) -> AnnData:
    adata = AnnData(data.counts.copy())
    sc.pp.normalize_total(adata, target_sum=1e4)
    sc.pp.log1p(adata)
    sc.pp.highly_variable_genes(adata, n_top_genes=n_genes)
    return adata


def test_cell_graph_is_the_union_of_cosine_lists(monkeypatch):
    """14 others by cosine in log expression; symmetric, no loops; blocks agree."""
    monkeypatch.setattr(neighbors, "COSINE_ROWS", 37)
    data, _ = cells(150)
    features, graph = cells_of(data, 30, 15, "counts")
    adata = scanpy_cells(data, 30)
    chosen = adata.var["highly_variable"].to_numpy()
    logged = adata.X.toarray()[:, chosen]
    lists = kneighbors_graph(logged, 14, metric="cosine")
    np.testing.assert_array_equal(graph.toarray(), lists.maximum(lists.T).toarray())
    assert (graph != graph.T).nnz == 0
    assert graph.diagonal().sum() == 0
    assert graph.sum(axis=1).min() >= 14
    np.testing.assert_array_equal(features.toarray(), data.counts.toarray()[:, chosen])


def test_scaled_features_of_cells_are_an_option():
    """Log values of unit deviation instead of counts; the same graph."""
    data, _ = cells(80)
    scaled, graph = cells_of(data, 60, 15, "scaled")
    adata = scanpy_cells(data, 60)
    sc.pp.scale(adata, zero_center=False, max_value=10)
    np.testing.assert_allclose(scaled.toarray(), adata.X.toarray(), rtol=1e-5)
    assert (graph != cells_of(data, 60, 15, "counts")[1]).nnz == 0


def test_many_cells_find_neighbours_in_components(monkeypatch):
    """From 10,000 cells on, in 50 principal components, still by cosine."""
    monkeypatch.setattr(inputs, "EXACT_UP_TO", 100)
    data, _ = cells(120, genes=90)
    graph = cells_of(data, 90, 15, "counts")[1]
    logged = scanpy_cells(data, 90).X.toarray()
    logged = logged - logged.mean(axis=0)
    components = logged @ np.linalg.svd(logged, full_matrices=False)[2][:50].T
    lists = kneighbors_graph(components, 14, metric="cosine")
    assert (graph != lists.maximum(lists.T)).nnz <= 4  # float32 input, ties at its resolution


def test_spots_have_neighbours_by_position_and_scaled_features():
    """The union of nearest spots by position; scaled log values, not centred."""
    data, _ = tissue(12)
    jitter = np.random.default_rng(0).normal(0, 5, data.coordinates.shape)
    data = Data(data.counts, data.genes, data.coordinates + jitter, data.pitch)
    features, graph = spots_of(data, 60, 15, "scaled")
    lists = kneighbors_graph(data.coordinates, 15)
    np.testing.assert_array_equal(graph.toarray(), lists.maximum(lists.T).toarray())
    adata = AnnData(data.counts.copy())
    sc.pp.normalize_total(adata, target_sum=1e4)
    sc.pp.log1p(adata)
    sc.pp.scale(adata, zero_center=False, max_value=10)
    np.testing.assert_allclose(features.toarray(), adata.X.toarray(), rtol=1e-5)
    raw = spots_of(data, 60, 15, "counts")[0]
    np.testing.assert_array_equal(raw.toarray(), data.counts.toarray())


def test_genes_that_vary_most_are_taken():
    """Flavour seurat_v3 on counts of spots."""
    data, _ = tissue(14, genes=200)
    adata = AnnData(data.counts.copy())
    sc.pp.highly_variable_genes(adata, n_top_genes=40, flavor="seurat_v3")
    chosen = adata.var["highly_variable"].to_numpy()
    raw = spots_of(data, 40, 15, "counts")[0]
    np.testing.assert_array_equal(raw.toarray(), data.counts.toarray()[:, chosen])


def test_gene_lists_are_nearest_by_euclid(monkeypatch):
    """The five nearest genes over cells, each itself first."""
    monkeypatch.setattr(inputs, "CELLS", 32)
    data, _ = cells(100)
    found = gene_neighbours(data.counts, 5)
    finder = NearestNeighbors(n_neighbors=5, algorithm="brute").fit(data.counts.T.toarray())
    distance, _ = finder.kneighbors()
    dense = data.counts.toarray().astype(float)
    own = np.linalg.norm(dense.T[:, None] - dense.T[found], axis=2)
    assert (own[:, 0] == 0).all()
    np.testing.assert_allclose(own[:, 1:], distance[:, :4], rtol=1e-6)


def pyg(neighbours: np.ndarray, x: torch.Tensor) -> torch.Tensor:
    """One GCNConv with unit weights and the authors' edges, from each gene to its list."""
    rows = np.repeat(np.arange(len(neighbours)), neighbours.shape[1])
    edges = torch.tensor(np.stack([rows, neighbours.ravel()]))
    layer = GCNConv(x.shape[1], x.shape[1], bias=False)
    layer.lin.weight.data = torch.eye(x.shape[1])
    return layer(x, edges).detach()


def test_gene_propagation_is_that_of_pyg():
    """It is d^-1/2 B^T d^-1/2 with column sums, hence that of PyG's GCNConv."""
    data, _ = cells(100)
    neighbours = gene_neighbours(data.counts, 5)
    lists = np.zeros((60, 60))
    lists[np.repeat(np.arange(60), 5), neighbours.ravel()] = 1
    assert (lists.diagonal() == 1).all()
    root = np.diag(lists.sum(axis=0) ** -0.5)
    found = gene_propagation(neighbours)
    np.testing.assert_allclose(found.toarray(), root @ lists.T @ root, rtol=1e-6)
    x = torch.randn(60, 4)
    torch.testing.assert_close(torch.tensor(found.toarray()) @ x, pyg(neighbours, x))


def test_duplicate_genes_keep_their_own_loop():
    """A gene pushed out of its own list by duplicates still sees itself."""
    counts = np.random.default_rng(0).poisson(2.0, (50, 12)).astype(np.float32)
    counts[:, :8] = counts[:, :1]
    neighbours = gene_neighbours(sp.csr_matrix(counts), 5)
    assert not (neighbours[7] == 7).any()
    found = gene_propagation(neighbours)
    assert np.isfinite(found.data).all()
    assert found.diagonal().min() > 0
    x = torch.randn(12, 3)
    torch.testing.assert_close(torch.tensor(found.toarray()) @ x, pyg(neighbours, x))


def test_cell_propagation_is_that_of_pyg():
    """S = D^-1/2 (A + I) D^-1/2 smooths inputs and propagates in the graph view."""
    graph = cells_of(cells(60)[0], 60, 15, "counts")[1]
    x = torch.randn(60, 4)
    edges = torch.tensor(np.stack(graph.nonzero()))
    layer = GCNConv(4, 4, bias=False)
    layer.lin.weight.data = torch.eye(4)
    found = normalized_adjacency(graph + sp.eye_array(60, format="csr"))
    torch.testing.assert_close(torch.tensor(found.toarray()) @ x, layer(x, edges).detach())


def test_counts_without_an_entry_are_refused():
    """Bad input: no expressed gene."""
    with pytest.raises(ValueError, match="expressed gene"):
        cells_of(Data(sp.csr_matrix((9, 4), dtype=np.float32), np.arange(4)), 4, 3, "counts")


def test_gene_lists_follow_their_genes():
    """Reordering genes reorders the gene graph."""
    data, _ = cells(200)
    order = np.random.default_rng(1).permutation(60)
    plain = gene_propagation(gene_neighbours(data.counts, 5)).toarray()
    mixed = gene_propagation(gene_neighbours(sp.csr_matrix(data.counts[:, order]), 5))
    same = (mixed.toarray() == plain[np.ix_(order, order)]).mean()
    assert same > 0.99  # integer distances may tie
