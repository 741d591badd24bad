"""The losses of MultiST by hand and against dense arrays."""

from __future__ import annotations

import math

import numpy as np
import pytest
import scipy.sparse as sp
import torch
from torch.nn.functional import binary_cross_entropy_with_logits

from methods.multist.inputs import neighbor_graph
from methods.multist.losses import (
    agreement,
    cosine_error,
    draw_negatives,
    info_nce,
    labelled_pairs,
    pair_entropy,
    prior,
    similarity_divergence,
)
from tests.methods.toys import leaves, same_gradients, tissue


def test_prior_is_the_divergence_of_unit_variance():
    """The general formula, with a logarithm of 0, is (1/2N) mean |m|^2."""
    mean, logvar = torch.randn(30, 16), torch.zeros(30, 16)
    inner = 1 + 2 * logvar - mean.square() - logvar.exp().square()
    general = -0.5 / 30 * inner.sum(dim=1).mean()
    torch.testing.assert_close(prior(mean), general)
    torch.testing.assert_close(prior(mean), mean.square().sum(dim=1).mean() / 60)


def test_cosine_error_by_hand():
    """It is 0 for proportional rows, 1 for orthogonal, 8 for opposite ones."""
    x = torch.eye(4)[:3]
    for made, value in ((3 * x, 0), (torch.eye(4)[[1, 2, 3]], 1), (-x, 8)):
        cosine = agreement(made, torch.eye(4), x, torch.ones(3)).cosine
        torch.testing.assert_close(cosine_error(cosine), torch.tensor(float(value)))


def test_agreement_equals_that_of_the_reconstruction():
    """Squared error and cosine of H W against X, values and gradients."""
    x, hidden, decoder = leaves((20, 9), (20, 4), (4, 9))
    x = x.detach()
    found = agreement(hidden, decoder, x @ decoder.T, x.square().sum(dim=1))
    made = hidden @ decoder
    same_gradients(found.error.sum(), (made - x).square().sum(), [hidden, decoder])
    again = agreement(hidden, decoder, x @ decoder.T, x.square().sum(dim=1))
    cosines = torch.cosine_similarity(hidden @ decoder, x, dim=1)
    same_gradients(cosine_error(again.cosine), (1 - cosines).pow(3).mean(), [hidden, decoder])
    empty = agreement(0 * hidden, decoder, 0 * hidden, torch.zeros(20))
    assert torch.isfinite(torch.autograd.grad(cosine_error(empty.cosine), hidden)[0]).all()


def test_contrast_and_divergence_of_identical_orthonormal_views():
    """InfoNCE gives log(1 + (n - 1) e^-10), the divergence 0; of others, their definition."""
    views = torch.linalg.qr(torch.randn(12, 12, dtype=torch.float64))[0]
    expected = math.log(1 + 11 * math.exp(-10))
    assert info_nce(views, 3 * views).item() == pytest.approx(expected, rel=1e-6)
    assert similarity_divergence(views, views).item() == 0
    other = torch.randn(12, 12, dtype=torch.float64)
    a, b = (torch.softmax(torch.cosine_similarity(v[:, None], v, dim=2) / 0.1, 1)
            for v in (views, other))  # fmt: skip
    both = [(x * (x / y).log()).sum(dim=1).mean() for x, y in ((a, b), (b, a))]
    torch.testing.assert_close(similarity_divergence(views, other), sum(both) / 2)


def test_pairs_are_edges_and_as_many_others():
    """Each spot has as many negatives as edges, none an edge, columns uniform."""
    data, _ = tissue(10)
    graph = neighbor_graph(data, 12)
    negatives = draw_negatives(graph, np.random.default_rng(0))
    np.testing.assert_array_equal(np.bincount(negatives[:, 0]), np.diff(graph.indptr))
    assert not graph[negatives[:, 0], negatives[:, 1]].any()
    drawn_often = np.bincount(negatives[:, 1], minlength=100)
    assert drawn_often[-10:].mean() == pytest.approx(drawn_often.mean(), rel=0.35)
    full = sp.csr_matrix(np.ones((4, 4), dtype=np.float32))
    assert len(draw_negatives(full, np.random.default_rng(0))) == 0


def test_entropy_over_pairs_as_with_dense_arrays(monkeypatch):
    """Value and gradient, in blocks of pairs too."""
    graph = neighbor_graph(tissue(6)[0], 12)
    negatives = draw_negatives(graph, np.random.default_rng(0))
    pairs = labelled_pairs(graph, negatives, "cpu")
    assert pairs.target.sum() == graph.nnz
    (z,) = leaves((36, 5))
    rows, columns = np.concatenate([np.column_stack(graph.nonzero()), negatives]).T
    target = torch.tensor(np.arange(len(rows)) < graph.nnz).double()
    dense = binary_cross_entropy_with_logits((z @ z.T)[rows, columns], target)
    same_gradients(pair_entropy(z, pairs), dense, [z])
    monkeypatch.setattr("methods.multist.losses.PAIRS_AT_ONCE", 100)
    same_gradients(
        pair_entropy(z, pairs),
        binary_cross_entropy_with_logits((z @ z.T)[rows, columns], target),
        [z],
    )
