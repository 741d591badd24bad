"""The mixture with one shared covariance, and its hierarchical start, against their definitions."""

from __future__ import annotations

import numpy as np
import pytest
from scipy.stats import multivariate_normal
from sklearn.metrics import adjusted_rand_score
from sklearn.mixture import GaussianMixture

from methods.shared.clustering.mclust import HierarchicalStart, fit_mixture
from methods.shared.clustering.mclust_start import _Groups, agglomerate, cut_tree, half_whiten
from tests.methods.toys import blobs, rng


@pytest.mark.parametrize("p", [1, 2, 3])
def test_agglomeration_against_trying_every_pair(p):
    """Each merge is the cheapest of all pairs."""
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
    """The likelihood and the optimum of scikit-learn's tied mixture from many starts."""
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


def test_mixture_of_points_that_all_but_coincide():
    """Each component is one point but for rounding: no covariance at all."""
    points = np.array([[0.0], [1.0], [1.0 + 1e-16], [0.0]]) - 1 / 3
    assert adjusted_rand_score([0, 1, 1, 0], fit_mixture(points, 2, rng()).labels) == 1
