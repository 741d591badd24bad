"""The estimates of K against other sources, on planted groups, and on what has no groups."""

from __future__ import annotations

import numpy as np
import pytest
import scipy.sparse as sp
from hypothesis import given, settings
from hypothesis import strategies as st
from sklearn.mixture import GaussianMixture

from methods.contract import Job
from methods.shared.clustering.n_clusters import (
    MOST,
    bic,
    eigengap,
    estimate_n_clusters,
    leiden_stability,
)
from methods.shared.graphs.weights import fuzzy_graph
from tests.methods.toys import rng, run, tissue

RULES = ["bic", "eigengap", "leiden"]


def blobs(n: int, k: int, d: int = 5, gap: float = 9.0) -> np.ndarray:
    centres = gap * np.eye(k, d) if k <= d else rng(1).normal(0, gap, (k, d))
    return centres[np.arange(n) % k] + rng().normal(size=(n, d))


def blocks(k: int, size: int = 15, bridge: float = 0.0) -> sp.csr_matrix:
    """Return `k` cliques, each cell weakly tied to its like in the next clique."""
    clique = np.ones((size, size)) - np.eye(size)
    ring = np.eye(k)[:, np.r_[1:k, 0]] if k > 2 else np.array([[0, 1], [0, 0]])[:k, :k]
    ties = bridge * np.kron(np.minimum(ring + ring.T, 1), np.eye(size))
    return sp.csr_matrix(np.kron(np.eye(k), clique) + ties)


@pytest.mark.parametrize("k", [2, 3, 7, 20])
@pytest.mark.parametrize("bridge", [0.0, 0.2])
def test_eigengap_counts_the_blocks_of_a_graph(k, bridge):
    found = eigengap(blocks(k, bridge=bridge), rng())
    assert found.n_clusters == k
    assert "eigengap" in found.rule


def test_eigengap_is_that_of_the_dense_matrix():
    graph = fuzzy_graph(blobs(260, 4))
    dense = graph.toarray().astype(np.float64)
    root = 1 / np.sqrt(dense.sum(axis=1))
    values = np.sort(np.linalg.eigvalsh(root[:, None] * dense * root))[::-1]
    scores = eigengap(graph, rng()).scores
    assert list(scores) == list(range(2, MOST + 1))
    expected = [values[k - 1] - values[k] for k in scores]
    np.testing.assert_allclose(list(scores.values()), expected, atol=1e-5)


def test_more_components_than_the_range_is_the_end_of_the_range():
    assert eigengap(blocks(MOST + 5, size=4), rng()).n_clusters == MOST
    assert eigengap(sp.csr_matrix((30, 30)), rng()).n_clusters == MOST


def test_bic_is_that_of_sklearns_tied_mixture():
    points = blobs(240, 4, 3, gap=4.0)
    found = bic(points, rng(), most=6)
    theirs = {
        k: -GaussianMixture(
            k, covariance_type="tied", n_init=10, reg_covar=0, tol=1e-6, max_iter=1000,
            random_state=0,
        ).fit(points).bic(points)
        for k in range(1, 7)
    }  # fmt: skip
    assert found.n_clusters == max(theirs, key=lambda k: theirs[k]) == 4
    for k in range(1, 5):  # above the true number optima are many
        assert found.scores[k] == pytest.approx(theirs[k], rel=1e-3)


@pytest.mark.parametrize("n", [40, 150])
def test_bic_of_one_cloud_is_highest_at_one(n):
    """With 30 dimensions on 40 cells the covariance within components would collapse."""
    assert bic(rng().normal(size=(n, 30)), rng()).n_clusters == 1


def test_bic_of_cells_without_variance_is_one():
    assert bic(np.ones((30, 4)), rng()).n_clusters == 1
    doubled = np.repeat(blobs(200, 3, 2), 2, axis=1)  # a singular covariance is no evidence
    assert bic(doubled, rng()).n_clusters == bic(blobs(200, 3, 2), rng()).n_clusters == 3


def test_leiden_stability_is_the_agreement_of_draws():
    """On two far blobs every draw finds the same two groups, whatever the draw."""
    found = leiden_stability(blobs(120, 2), rng())
    assert found.n_clusters == 2
    assert found.scores[2] == pytest.approx(1.0)
    assert all(-0.5 <= value <= 1 for value in found.scores.values())
    assert min(found.scores.values()) < 0.9


def test_leiden_stability_takes_the_finer_of_two_perfect_scales():
    """Two far pairs of near groups: 2 and 4 are both reproduced; 4 says more."""
    centres = np.array([[0, 0], [12, 0], [200, 0], [212, 0]])
    points = centres[np.arange(240) % 4] + rng().normal(size=(240, 2))
    assert leiden_stability(points, rng()).n_clusters == 4


@pytest.mark.parametrize("rule", RULES)
@pytest.mark.parametrize("k", [2, 4, 9])
def test_planted_groups_are_counted(rule, k):
    points = blobs(200, k)
    found = estimate_n_clusters(rule, points, rng())
    assert found.n_clusters == k
    assert found == estimate_n_clusters(rule, points, rng())


@given(st.integers(0, 10**6))
@settings(max_examples=3, deadline=None)
def test_the_order_of_cells_and_axes_does_not_matter(seed):
    points = blobs(120, 3)
    order = rng(seed).permutation(len(points))
    axes = np.linalg.qr(rng(seed).normal(size=(5, 5)))[0]
    for rule in RULES:
        assert estimate_n_clusters(rule, points[order] @ axes + 7, rng(seed)).n_clusters == 3, rule


@pytest.mark.parametrize("rule", RULES)
def test_large_data_are_drawn_from(rule, monkeypatch):
    monkeypatch.setattr("methods.shared.clustering.mclust.SUBSAMPLE", 150)
    monkeypatch.setattr("methods.shared.clustering.n_clusters.GRAPH_CELLS", 150)
    points = blobs(2000, 3)
    assert estimate_n_clusters(rule, points, rng()).n_clusters == 3
    assert (
        estimate_n_clusters(rule, points, rng(1)).scores
        != estimate_n_clusters(rule, points, rng()).scores
    )


@pytest.mark.parametrize("n", [1, 2, 3, 5, 12])
@pytest.mark.parametrize("rule", RULES)
def test_few_cells_get_an_answer_they_can_fill(rule, n):
    few = np.arange(2 * n).reshape(n, 2) % 3.0
    for points in (rng().normal(size=(n, 4)), np.ones((n, 4)), few):
        found = estimate_n_clusters(rule, points, rng())
        assert 1 <= found.n_clusters <= n
        assert all(np.isfinite(value) for value in found.scores.values())


@pytest.mark.parametrize("rule", RULES)
@pytest.mark.parametrize(
    "points", [np.full((9, 2), np.nan), np.zeros((0, 3)), np.zeros(9)], ids=["nan", "empty", "flat"]
)
def test_features_that_are_none_are_refused(rule, points):
    with pytest.raises(ValueError, match=r"features: .*give cells x dimensions"):
        estimate_n_clusters(rule, points, rng())


@pytest.mark.parametrize(
    "graph", [-np.ones((4, 4)), np.ones((3, 4)), np.full((4, 4), np.inf), np.ones((0, 0))]
)
def test_a_graph_that_is_none_is_refused(graph):
    with pytest.raises(ValueError, match=r"graph: .*give symmetric"):
        eigengap(sp.csr_matrix(graph), rng())


def test_an_unknown_rule_is_refused():
    with pytest.raises(ValueError, match=r"k_rule: 'elbow' .* bic, eigengap or leiden"):
        estimate_n_clusters("elbow", blobs(30, 2), rng())


@pytest.mark.parametrize("k", [2, 4])
def test_domains_of_a_tissue_are_counted_by_expression_not_position(k):
    """The gaps of a graph of nearest spots are those of the lattice, whatever is expressed."""
    data, _ = tissue(14, k=k, signal=4.0)
    assert len(np.unique(run("scrcl", data, Job(0, None), epochs=1, refine=0).clusters)) == k
