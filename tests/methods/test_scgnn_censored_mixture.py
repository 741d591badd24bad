"""scGNN's censored mixture against direct maximisation, quadrature and scikit-learn."""

from __future__ import annotations

import numpy as np
import pytest
from scipy.integrate import quad
from scipy.optimize import minimize
from scipy.stats import norm

from methods.scgnn.censored_mixture import (
    Mixture,
    Observed,
    censored_joint,
    fit,
    log_likelihood,
    start,
    step,
)

TRUE = {"weight": (0.4, 0.35, 0.25), "mean": (0.0, 3.0, 5.5), "sd": (0.8, 0.5, 0.6)}


def observed(values: np.ndarray, cut: float) -> Observed:
    """Genes x cells on log scale, one entry per cell; those below the cut are censored."""
    values = np.sort(values, axis=1)
    seen = (values >= cut).astype(float)
    n = values.shape[1]
    return Observed(values, seen, np.full(len(values), cut), n - seen.sum(axis=1))


def drawn(genes: int, cells: int, seed: int = 0) -> np.ndarray:
    rng = np.random.default_rng(seed)
    component = rng.choice(3, size=(genes, cells), p=TRUE["weight"])
    mean, sd = np.array(TRUE["mean"]), np.array(TRUE["sd"])
    return rng.normal(mean[component], sd[component])


@pytest.mark.parametrize("exact", [True, False])
def test_likelihood_never_falls(exact):
    """With both M-steps."""
    data = observed(drawn(20, 150), 0.5)
    for k in (2, 3, 4):
        mixture = start(data, k)
        before = log_likelihood(mixture, data)
        for _ in range(40):
            mixture = step(mixture, data, exact)
            now = log_likelihood(mixture, data)
            assert (now >= before - 1e-8).all()
            before = now


def test_without_censored_cells_it_is_an_ordinary_mixture():
    """Against scikit-learn from the same start, two components."""
    from sklearn.mixture import GaussianMixture

    rng = np.random.default_rng(3)
    values = np.concatenate([rng.normal(0, 1, 200), rng.normal(6, 0.7, 150)])[None]
    data = observed(values, -np.inf)._replace(cut=np.array([values.min()]))
    begin = start(data, 2)
    found = fit(data, 2)
    model = GaussianMixture(
        2,
        weights_init=begin.weight[0],
        means_init=begin.mean[0][:, None],
        precisions_init=1 / begin.sd[0][:, None, None] ** 2,
        tol=0,
        max_iter=200,
        reg_covar=0,
    )
    with pytest.warns(match="converge"):
        model.fit(values.T)
    np.testing.assert_allclose(found.mean[0], model.means_[:, 0], atol=1e-6)
    np.testing.assert_allclose(found.weight[0], model.weights_, atol=1e-6)
    np.testing.assert_allclose(found.sd[0] ** 2, model.covariances_[:, 0, 0], atol=1e-6)


def test_one_censored_gaussian_matches_a_direct_maximiser():
    values = np.random.default_rng(1).normal(1.0, 1.5, (3, 400))
    data = observed(values, 0.4)
    found = fit(data, 1)
    for gene in range(3):
        y, n0 = values[gene][values[gene] >= 0.4], data.censored[gene]

        def loss(theta, y=y, n0=n0):
            mean, sd = theta[0], np.exp(theta[1])
            return -norm.logpdf(y, mean, sd).sum() - n0 * norm.logcdf(0.4, mean, sd)

        best = minimize(loss, [0.5, 0.0], method="Nelder-Mead", options={"xatol": 1e-8,
                        "fatol": 1e-10, "maxiter": 4000}).x  # fmt: skip
        assert found.mean[gene, 0] == pytest.approx(best[0], abs=1e-4)
        assert found.sd[gene, 0] == pytest.approx(np.exp(best[1]), abs=1e-4)


@pytest.mark.parametrize("z", [-8.0, -2.0, 0.0, 1.5, 8.0])
def test_moments_below_the_cut_are_those_of_quadrature(z):
    """E[X | X < q] = mu - sigma lambda and E[(X - mu)^2 | X < q] = sigma^2 (1 - z lambda)."""
    mean, sd = 1.3, 0.7
    cut = mean + z * sd
    mixture = Mixture(np.ones((1, 1)), np.array([[mean]]), np.array([[sd]]))
    _, found, mills = censored_joint(mixture, np.array([cut]))
    assert found[0, 0] == pytest.approx(z)
    scale = norm.cdf(z)
    low = cut - 14 * sd
    points = [max(low, mean - sd)] if z > 0 else None
    first = quad(lambda x: x * norm.pdf(x, mean, sd), low, cut, points=points, epsabs=0)[0]
    second = quad(lambda x: (x - mean) ** 2 * norm.pdf(x, mean, sd), low, cut, points=points,
                  epsabs=0)[0]  # fmt: skip
    assert mean - sd * mills[0, 0] == pytest.approx(first / scale, rel=1e-7)
    assert sd**2 * (1 - z * mills[0, 0]) == pytest.approx(second / scale, rel=1e-7)


def test_far_tails_stay_finite():
    """Probabilities are kept as logarithms."""
    mixture = Mixture(np.ones((1, 2)) / 2, np.array([[500.0, -500.0]]), np.ones((1, 2)))
    joint, _, mills = censored_joint(mixture, np.zeros(1))
    assert np.isfinite(joint).all()
    assert np.isfinite(mills).all()
