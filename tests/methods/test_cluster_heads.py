"""K-means, mixture, Leiden and spectral partition."""

from __future__ import annotations

import numpy as np
import pytest
import scipy.sparse as sp
from scipy.stats import multivariate_normal
from sklearn.metrics import adjusted_rand_score
from sklearn.mixture import GaussianMixture

from methods.shared.clustering.kmeans import kmeans
from methods.shared.clustering.leiden import Leiden
from methods.shared.clustering.mclust import HierarchicalStart, fit_mixture
from methods.shared.clustering.mclust_start import _Groups, agglomerate, cut_tree, half_whiten
from methods.shared.clustering.spectral import Spectrum, spectral_partition
from methods.shared.graphs.neighbors import feature_knn
from methods.shared.graphs.sections import majority_vote
from methods.shared.graphs.weights import adjacency, fuzzy_graph


def rng() -> np.random.Generator:
    return np.random.default_rng(0)


def blobs(n: int = 150, k: int = 4, d: int = 3, gap: float = 8.0) -> tuple[np.ndarray, np.ndarray]:
    labels = np.arange(n) % k
    centres = gap * np.eye(k, d) - (gap * (np.arange(k) >= d))[:, None]
    return centres[labels] + rng().normal(size=(n, d)), labels


def affinity(points: np.ndarray, k: int = 10) -> sp.csr_matrix:
    graph = adjacency(feature_knn(points, k)[0])
    return (graph + graph.T).tocsr() / 2


def test_kmeans_finds_blobs_and_repeats():
    points, truth = blobs()
    labels = kmeans(points, 4, rng())
    assert adjusted_rand_score(truth, labels) == 1
    np.testing.assert_array_equal(labels, kmeans(points, 4, rng()))


@pytest.mark.parametrize("k", [0, 11])
def test_kmeans_refuses_more_clusters_than_cells(k):
    with pytest.raises(ValueError, match=r"n_clusters.*from 1 to 10"):
        kmeans(np.zeros((10, 2)), k, rng())


def test_kmeans_on_identical_cells_returns_fewer_clusters():
    assert len(kmeans(np.zeros((10, 2)), 3, rng())) == 10


@pytest.mark.parametrize("p", [1, 2, 3])
def test_agglomeration_against_trying_every_pair(p):
    """GraphST 4.1, step 3: each merge is the cheapest of all pairs."""
    rows = rng().normal(size=(24, p)) * np.linspace(1, 3, 24)[:, None]
    groups, alive = _Groups(rows), list(range(24))
    for a, b in agglomerate(rows):
        cost = {
            (i, j): groups.joined_terms(i, np.array([j]))[0] - groups.term[i] - groups.term[j]
            for i in alive
            for j in alive
            if i < j
        }
        assert cost[a, b] == pytest.approx(min(cost.values()), abs=1e-9)
        groups.merge(a, b)
        alive.remove(b)


def test_criterion_of_a_group_by_its_definition():
    rows = rng().normal(size=(9, 2))
    groups = _Groups(rows)
    for b in range(1, 6):
        groups.merge(0, b)
    own = rows[:6] - rows[:6].mean(axis=0)
    alpha = ((rows - rows.mean(axis=0)) ** 2).sum() / rows.size
    inner = np.linalg.det(own.T @ own / 6) + ((own**2).sum() + alpha) / 6
    assert groups.term[0] == pytest.approx(6 * np.log(inner))


def test_cut_gives_every_number_of_groups():
    merges = agglomerate(rng().normal(size=(20, 2)))
    for k in range(1, 21):
        assert cut_tree(merges, k).max() + 1 == k


def test_half_whitening_drops_constant_columns():
    points = np.column_stack([rng().normal(size=(30, 2)), np.ones(30)])
    white = half_whiten(points)
    singular = np.linalg.svd((points - points.mean(0))[:, :2] / points.std(0, ddof=1)[:2])[1]
    np.testing.assert_allclose(np.linalg.norm(white, axis=0), np.sqrt(singular))


def test_mixture_against_sklearn_tied():
    """GraphST 4.1: the likelihood and optimum of sklearn's tied mixture from many starts."""
    points, truth = blobs(300, 4, 3, gap=4.0)
    ours = fit_mixture(points, 4, rng())
    model = GaussianMixture(4, covariance_type="tied", n_init=20, reg_covar=0, tol=1e-6)
    theirs = model.set_params(random_state=0, max_iter=1000).fit(points)
    assert ours.log_likelihood == pytest.approx(300 * theirs.score(points), rel=1e-4)
    assert adjusted_rand_score(ours.labels, theirs.predict(points)) > 0.98
    assert ours.bic == pytest.approx(-theirs.bic(points), rel=1e-4)
    assert adjusted_rand_score(ours.labels, truth) > 0.9


def test_mixture_of_one_is_a_gaussian():
    points = rng().normal(size=(40, 2)) @ np.array([[2.0, 1.0], [0.0, 0.5]])
    density = multivariate_normal(points.mean(0), np.cov(points.T, bias=True))
    one = fit_mixture(points, 1, rng())
    assert one.log_likelihood == pytest.approx(density.logpdf(points).sum())


def test_mixture_above_the_subsample_repeats_with_its_seed(monkeypatch):
    monkeypatch.setattr("methods.shared.clustering.mclust.SUBSAMPLE", 60)
    points, truth = blobs(200)
    first = fit_mixture(points, 4, rng()).labels
    np.testing.assert_array_equal(first, fit_mixture(points, 4, rng()).labels)
    assert adjusted_rand_score(truth, first) == 1
    assert len(HierarchicalStart(points, rng()).rows) == 60


def test_mixture_survives_a_singular_covariance():
    points = np.repeat(blobs(40)[0][:, :1], 3, axis=1)
    mixture = fit_mixture(points, 2, rng())
    assert mixture.ridge > 0
    assert np.isfinite(mixture.log_likelihood)
    assert len(fit_mixture(np.ones((12, 3)), 2, rng()).labels) == 12


def test_fuzzy_graph_as_in_scanpy():
    import scanpy as sc

    points = rng().normal(size=(200, 10))
    adata = sc.AnnData(points.copy())
    sc.pp.neighbors(adata, n_neighbors=15, use_rep="X")
    ours = fuzzy_graph(points, 15)
    np.testing.assert_allclose(ours.toarray(), adata.obsp["connectivities"].toarray(), atol=2e-4)


@pytest.mark.parametrize("k", [2, 4, 9])
def test_leiden_search_meets_k_or_says_it_did_not(k):
    """GraphST 10, with a status instead of an error."""
    leiden = Leiden(fuzzy_graph(blobs(200)[0]), 1)
    found = leiden.search(k)
    reached = found.labels.max() + 1
    assert found.status == ("exact" if reached == k else "closest")
    assert found.evaluations <= 30
    np.testing.assert_array_equal(found.labels, leiden.search(k).labels)


def test_leiden_search_stops_on_a_disconnected_graph():
    graph = sp.block_diag([np.ones((5, 5))] * 6, format="csr")
    found = Leiden(graph, 1).search(3)
    assert found.status == "closest"
    assert found.labels.max() + 1 == 6


def test_spectral_partition_finds_blobs():
    points, truth = blobs(400)
    assert adjusted_rand_score(truth, spectral_partition(affinity(points), 4, rng())) == 1


def test_sparse_and_dense_eigenvectors_span_the_same_space(monkeypatch):
    graph = affinity(rng().normal(size=(300, 2)))
    sparse = Spectrum(graph, 5, rng())
    monkeypatch.setattr("methods.shared.clustering.spectral.DENSE_BELOW", 1000)
    dense = Spectrum(graph, 5, rng())
    np.testing.assert_allclose(sparse.values, dense.values, atol=1e-7)
    np.testing.assert_allclose(np.abs(sparse.vectors), np.abs(dense.vectors), atol=1e-4)


@pytest.mark.parametrize("parts", [3, 40])
def test_spectral_partition_of_a_disconnected_graph(parts):
    """scTAG quirk 11: degenerate eigenvalues must still give a partition."""
    block = np.ones((12, 12)) - np.eye(12)
    graph = sp.block_diag([block] * parts, format="csr")
    labels = spectral_partition(graph, 3, rng())
    assert len(labels) == 12 * parts
    assert labels.max() < 3
    if parts == 3:
        assert adjusted_rand_score(labels, np.repeat(np.arange(3), 12)) == 1


def test_majority_vote_counts_others_only_and_breaks_ties_by_distance():
    """GraphST 11: one simultaneous pass over the nearest other spots."""
    line = np.column_stack([np.arange(6.0), np.zeros(6)])
    clusters = np.array([0, 0, 1, 0, 0, 1])
    assert majority_vote(clusters, line, 2).tolist() == [0, 0, 0, 1, 0, 0]
    assert majority_vote(clusters, line, 0).tolist() == clusters.tolist()
    uneven = np.column_stack([[0.0, 1.0, 3.0], np.zeros(3)])
    assert majority_vote(np.array([2, 0, 1]), uneven, 2).tolist() == [0, 2, 0]


def test_mixture_of_points_that_all_but_coincide():
    """Each component is one point but for rounding: no covariance at all."""
    points = np.array([[0.0], [1.0], [1.0 + 1e-16], [0.0]]) - 1 / 3
    assert adjusted_rand_score([0, 1, 1, 0], fit_mixture(points, 2, rng()).labels) == 1
