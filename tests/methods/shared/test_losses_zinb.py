"""The fused ZINB decoder against scipy, autograd and finite differences."""

from __future__ import annotations

import numpy as np
import pytest
import scipy.sparse as sp
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.special import gammaln
from scipy.stats import nbinom, poisson
from torch.nn.functional import batch_norm, softplus

from methods.shared.expression.spots import filtered_expression
from methods.shared.losses.zinb import (
    EPS,
    LOG_MU_RANGE,
    THETA_RANGE,
    ZinbDecoder,
    ZinbTarget,
    zinb_block,
    zinb_heads,
)
from tests.methods.toys import tissue


def by_autograd(a, c, b, y, size):
    """Evaluate the negative log-likelihood entry by entry."""
    pi, theta = torch.sigmoid(a), softplus(c).clamp(1e-4, 1e4)
    mu = b.exp().clamp(1e-5, 1e6) * size
    nb = torch.lgamma(theta + EPS) + torch.lgamma(y + 1) - torch.lgamma(y + theta + EPS)
    nb = nb + (theta + y) * torch.log1p(mu / (theta + EPS))
    nb = nb + y * (torch.log(theta + EPS) - torch.log(mu + EPS))
    zero = torch.exp(theta * torch.log(theta / (theta + mu + EPS)))
    empty = -torch.log(pi + (1 - pi) * zero + EPS)
    return torch.where(y < 1e-8, empty, nb - torch.log(1 - pi + EPS))


def problem(seed: int, n: int = 9, genes: int = 7, spread: float = 2.0, dtype=torch.float64):
    rng = np.random.default_rng(seed)
    y = rng.poisson(1.0, (n, genes)) * rng.choice([1, 1, 40], (n, genes))
    logits = [torch.tensor(rng.normal(0, spread, (n, genes)), dtype=dtype) for _ in range(3)]
    logits[0].clamp_(-12, 12)  # beyond, the reference's 1e-10 inside logarithms shows
    size = rng.uniform(0.3, 3.0, n)
    return sp.csr_matrix(y.astype(float)), logits, size


def evaluate(counts, logits, size, dtype=torch.float64):
    target = ZinbTarget(counts, size, dtype=dtype, rows=10**6)
    value, *slopes = zinb_block(*logits, target.blocks[0], target.size_factors)
    return float(value) + target.blocks[0].log_factorial, slopes


def test_value_is_that_of_scipys_mixture():
    """Within 1e-7 of the mixture with scipy's negative binomial."""
    counts, (a, c, b), size = problem(0)
    pi, theta = torch.sigmoid(a).numpy(), softplus(c).numpy()
    mu, y = b.exp().numpy() * size[:, None], counts.toarray()
    likelihood = pi * (y == 0) + (1 - pi) * nbinom.pmf(y, theta, theta / (theta + mu))
    value, _ = evaluate(counts, [a, c, b], size)
    assert value / y.size == pytest.approx(-np.log(likelihood).mean(), abs=1e-7)


@given(st.integers(0, 10**6), st.sampled_from([0.5, 2.0, 6.0]))
@settings(max_examples=40, deadline=None)
def test_value_and_gradient_are_those_of_autograd(seed, spread):
    """The gradients that are written out, against autograd of the formula."""
    counts, logits, size = problem(seed, spread=spread)
    free = [x.clone().requires_grad_() for x in logits]
    y = torch.tensor(counts.toarray())
    loss = by_autograd(*free, y, torch.tensor(size)[:, None]).sum()
    loss.backward()
    value, slopes = evaluate(counts, logits, size)
    assert value == pytest.approx(float(loss.detach()), rel=1e-4)
    for ours, theirs in zip(slopes, free, strict=True):
        torch.testing.assert_close(ours, theirs.grad, rtol=2e-4, atol=2e-4)


@pytest.mark.parametrize("spread", [1.0, 12.0])
def test_single_precision_stays_close_and_finite(spread):
    """As it trains."""
    counts, logits, size = problem(3, 40, 30, spread)
    exact, slopes = evaluate(counts, logits, size)
    single = [x.float() for x in logits]
    value, rough = evaluate(counts, single, size, torch.float32)
    assert value == pytest.approx(exact, rel=1e-4)
    for ours, theirs in zip(rough, slopes, strict=True):
        assert torch.isfinite(ours).all()
        scale = theirs.abs().max().item()
        torch.testing.assert_close(ours.double(), theirs, rtol=1e-2, atol=1e-4 * scale)


def test_gradient_is_that_of_finite_differences():
    """In all three logits."""
    counts, logits, size = problem(1, 3, 4)
    _, slopes = evaluate(counts, logits, size)
    for which, slope in enumerate(slopes):
        moved = [x.clone() for x in logits]
        moved[which][1, 2] += 1e-6
        up = evaluate(counts, moved, size)[0]
        moved[which][1, 2] -= 2e-6
        down = evaluate(counts, moved, size)[0]
        assert slope[1, 2].item() == pytest.approx((up - down) / 2e-6, abs=1e-5)


def test_limits_are_negative_binomial_and_poisson():
    """With pi to 0 it is negative binomial, with theta at its largest value Poisson."""
    y = np.arange(6.0)[None]
    b, size = torch.full((1, 6), 0.7, dtype=torch.float64), np.ones(1)
    none = torch.full((1, 6), -60.0, dtype=torch.float64)
    mu = np.exp(0.7)
    theta = float(softplus(torch.tensor(0.4, dtype=torch.float64)))
    value, _ = evaluate(sp.csr_matrix(y), [none, torch.full_like(b, 0.4), b], size)
    assert value == pytest.approx(-nbinom.logpmf(y, theta, theta / (theta + mu)).sum(), abs=1e-7)
    value, _ = evaluate(sp.csr_matrix(y), [none, torch.full_like(b, 1e4), b], size)
    assert value == pytest.approx(-poisson.logpmf(y, mu).sum(), rel=1e-3)


def test_targets_need_not_be_integers():
    """Z-scores as targets, as released: positive ones enter the formula as they are."""
    y = np.array([[0.5, 0.0, 2.25]])
    logits = [torch.zeros(1, 3, dtype=torch.float64) for _ in range(3)]
    value, _ = evaluate(sp.csr_matrix(y), logits, np.ones(1))
    expected = by_autograd(*logits, torch.tensor(y), torch.ones(1, 1, dtype=torch.float64))
    assert value == pytest.approx(float(expected.sum()), rel=1e-7)
    assert ZinbTarget(sp.csr_matrix(y)).blocks[0].log_factorial == pytest.approx(
        gammaln([1.5, 3.25]).sum()
    )


@pytest.mark.parametrize("rows", [1, 4, 100])
def test_heads_blocked_equal_dense(rows):
    """Blocks of cells with accumulated gradients change neither value nor gradient."""
    counts, _, size = problem(5, 11, 6)
    rng = np.random.default_rng(0)
    leaves = [rng.normal(size=s) * 0.5 for s in ((11, 5), (3, 6, 5), (3, 6))]
    ours, theirs = ([torch.tensor(x).requires_grad_() for x in leaves] for _ in range(2))
    loss = zinb_heads(*ours, ZinbTarget(counts, size, dtype=torch.float64, rows=rows))
    (2.5 * loss).backward()
    hidden, weight, bias = theirs
    logits = [hidden @ weight[i].T + bias[i] for i in range(3)]
    dense = by_autograd(*logits, torch.tensor(counts.toarray()), torch.tensor(size)[:, None])
    (2.5 * dense.mean()).backward()
    assert loss.item() == pytest.approx(dense.mean().item(), rel=1e-6)
    for a, b in zip(ours, theirs, strict=True):
        torch.testing.assert_close(a.grad, b.grad, rtol=1e-4, atol=1e-6)


def entries(y, logits, rows: int = 256) -> torch.Tensor:
    """ZINB of given logits, spots x genes each, through heads that pass them on."""
    genes = y.shape[1]
    eye = torch.eye(genes, dtype=torch.float64)
    weight = torch.zeros(3, genes, 3 * genes, dtype=torch.float64)
    for i in range(3):
        weight[i, :, i * genes : (i + 1) * genes] = eye
    target = ZinbTarget(sp.csr_matrix(y), None, dtype=torch.float64, rows=rows)
    bias = torch.zeros(3, genes, dtype=torch.float64)
    return zinb_heads(torch.cat(logits, dim=1), weight, bias, target)


def test_zinb_without_zero_inflation_is_negative_binomial():
    """Integer y and pi -> 0 give the log pmf with p = theta / (theta + mu)."""
    rng = np.random.default_rng(0)
    y = rng.poisson(3.0, (12, 7)).astype(float)
    theta, mu = (softplus(torch.tensor(rng.normal(1, 1, y.shape))) for _ in range(2))
    logits = [torch.full(y.shape, -40.0, dtype=torch.float64), torch.log(torch.expm1(theta)),
              torch.log(mu)]  # fmt: skip
    expected = -nbinom.logpmf(y, theta.numpy(), (theta / (theta + mu)).numpy()).mean()
    assert entries(y, logits).item() == pytest.approx(expected, abs=1e-6)


def test_zinb_of_a_zero_is_the_mass_of_the_mixture():
    """A count of 0 gives -log(pi + (1 - pi) NB(0))."""
    rng = np.random.default_rng(1)
    logits = [torch.tensor(rng.normal(0, 1, (9, 5))) for _ in range(3)]
    pi, theta, mu = torch.sigmoid(logits[0]), softplus(logits[1]), logits[2].exp()
    mass = pi + (1 - pi) * (theta / (theta + mu)) ** theta
    found = entries(np.zeros((9, 5)), logits).item()
    assert found == pytest.approx(-mass.log().mean().item(), abs=1e-8)


@pytest.mark.parametrize("y", [0.0, 0.3, 10.0])
@pytest.mark.parametrize("theta", [-800.0, 800.0, 1e6])
@pytest.mark.parametrize("mu", [-800.0, 800.0])
@pytest.mark.parametrize("pi", [-800.0, 0.0, 800.0])
def test_zinb_is_finite_at_the_clipping_bounds(y, theta, mu, pi):
    """Theta at 1e-4 and 1e4, mu at 1e-5 and 1e6, pi at 0 and 1."""
    logits = [
        torch.full((2, 2), x, dtype=torch.float64, requires_grad=True) for x in (pi, theta, mu)
    ]
    loss = entries(np.full((2, 2), y), logits)
    loss.backward()
    assert torch.isfinite(loss)
    assert all(torch.isfinite(logit.grad).all() for logit in logits)
    assert THETA_RANGE == (1e-4, 1e4)
    assert np.exp(LOG_MU_RANGE) == pytest.approx([1e-5, 1e6])
    assert EPS == 1e-10


@pytest.mark.parametrize("rows", [1, 37, 1000])
def test_heads_blocked_equal_dense_on_scaled_expression(rows):
    """Loss and gradients of heads and ZINB by blocks, on values that are no integers."""
    features = filtered_expression(tissue()[0].counts, 100, 3000).astype(np.float64)
    generator = torch.Generator().manual_seed(0)
    hidden = torch.rand(144, 128, generator=generator, dtype=torch.float64)
    weight = torch.randn(3, 60, 128, generator=generator, dtype=torch.float64) / 11
    bias = torch.randn(3, 60, generator=generator, dtype=torch.float64)
    free = [x.requires_grad_() for x in (hidden, weight, bias)]
    blocked = zinb_heads(*free, ZinbTarget(features, None, dtype=torch.float64, rows=rows))
    logits = [hidden @ w.T + b for w, b in zip(weight, bias, strict=True)]
    whole = by_autograd(*logits, torch.tensor(features.toarray()), 1.0).mean()
    assert blocked.item() == pytest.approx(whole.item(), rel=1e-8)
    pairs = zip(torch.autograd.grad(blocked, free), torch.autograd.grad(whole, free), strict=True)
    for found, expected in pairs:
        torch.testing.assert_close(found, expected, rtol=1e-5, atol=1e-9)


def test_hidden_layer_of_the_decoder_is_that_of_torch():
    """Linear, batch normalisation over all spots, ReLU."""
    decoder = ZinbDecoder(64, 128, 20, torch.Generator().manual_seed(0))
    with torch.no_grad():
        decoder.scale.uniform_(0.5, 2)
        decoder.shift.uniform_(-1, 1)
    z = torch.randn(50, 64)
    normed = batch_norm(decoder.trunk(z), None, None, decoder.scale, decoder.shift, training=True)
    torch.testing.assert_close(decoder.hidden(z), torch.relu(normed), rtol=1e-4, atol=1e-5)
