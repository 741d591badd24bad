"""scTAG's convolutions against PyTorch Geometric and explicit powers."""

from __future__ import annotations

import numpy as np
import scipy.sparse as sp
import torch
from torch_geometric.nn import TAGConv

from methods.sctag.network import Features, TagConv
from methods.shared.graphs.neighbors import feature_knn
from methods.shared.graphs.weights import adjacency, row_normalized
from methods.shared.nn.sparse import SparseMatrix


def setting(repeat: bool):
    rng = np.random.default_rng(0)
    graph = row_normalized(adjacency(feature_knn(rng.normal(size=(20, 3)), 4)[0], itself=True))
    layer = TagConv(6, 5, 3, repeat, torch.Generator().manual_seed(0)).double()
    layer.bias.data.normal_(generator=torch.Generator().manual_seed(1))
    x = torch.tensor(rng.normal(size=(20, 6)))
    return graph.astype(np.float64), layer, x


def test_convolution_by_true_powers_is_that_of_pyg():
    """Messages run from neighbour to cell with the averaging weight."""
    graph, layer, x = setting(repeat=False)
    reference = TAGConv(6, 5, K=3, normalize=False).double()
    for theirs, ours in zip(reference.lins, layer.weight, strict=True):
        theirs.weight.data = ours.data.T.clone()
    reference.bias.data = layer.bias.data.clone()
    links = graph.tocoo()
    edges = torch.tensor(np.stack([links.col, links.row]), dtype=torch.int64)
    expected = reference(x, edges, torch.tensor(links.data))
    torch.testing.assert_close(layer(x, SparseMatrix(graph)), expected, rtol=1e-12, atol=1e-12)


def test_horner_form_equals_explicit_powers():
    graph, layer, x = setting(repeat=False)
    a, power, total = torch.tensor(graph.toarray()), x, layer.bias
    for weight in layer.weight:
        total = total + power @ weight
        power = a @ power
    torch.testing.assert_close(layer(x, SparseMatrix(graph)), total)


def test_repeated_hop_is_one_hop():
    """It is X W_0 + A X (W_1 + W_2 + W_3) + b."""
    graph, layer, x = setting(repeat=True)
    w = layer.weight
    expected = x @ w[0] + torch.tensor(graph.toarray()) @ x @ (w[1] + w[2] + w[3]) + layer.bias
    torch.testing.assert_close(layer(x, SparseMatrix(graph)), expected)


def test_gradients_flow_through_the_sparse_product():
    """The layer's gradient against finite differences."""
    graph, layer, x = setting(repeat=False)
    matrix = SparseMatrix(graph)
    assert torch.autograd.gradcheck(lambda v: layer(v, matrix), x.requires_grad_())


def test_sparse_features_equal_dense_and_gene_order_is_free():
    """Permuting genes together with weights leaves the embedding unchanged."""
    graph, layer, _ = setting(repeat=False)
    sparse = sp.random(20, 6, 0.5, format="csr", random_state=0)
    offset = np.linspace(-1, 1, 6)
    matrix = SparseMatrix(graph)
    out = layer(Features(SparseMatrix(sparse), torch.tensor(offset)), matrix)
    torch.testing.assert_close(out, layer(torch.tensor(sparse.toarray() + offset), matrix))
    order = np.random.default_rng(0).permutation(6)
    layer.weight.data = layer.weight.data[:, order]
    features = Features(SparseMatrix(sparse[:, order].tocsr()), torch.tensor(offset[order]))
    torch.testing.assert_close(layer(features, matrix), out)
