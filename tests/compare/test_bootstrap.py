from __future__ import annotations

import numpy as np
import pytest

from blindfold.compare.bootstrap import generator, hierarchical_interval, seed_interval


def test_same_names_same_interval():
    values = np.array([0.1, 0.5, 0.3])
    first = seed_interval(values, generator("d", "m"))
    assert first == seed_interval(values, generator("d", "m"))
    assert first[0] <= values.mean() <= first[1]


@pytest.mark.parametrize("values", [[], [0.4], [0.4, np.nan]])
def test_one_seed_has_no_interval(values):
    assert np.isnan(seed_interval(np.array(values), generator("x"))).all()


def test_constant_seeds_have_a_point():
    assert seed_interval(np.full(3, 0.4), generator("x")) == pytest.approx((0.4, 0.4))


def test_agrees_with_theory():
    values = np.random.default_rng(0).normal(0, 1, 200)
    low, high = seed_interval(values, generator("x"))
    error = values.std() / np.sqrt(200)
    assert low == pytest.approx(values.mean() - 1.96 * error, abs=0.02)
    assert high == pytest.approx(values.mean() + 1.96 * error, abs=0.02)


def test_datasets_are_drawn_too():
    groups = [np.full(3, 0.1), np.full(3, 0.9)]
    assert hierarchical_interval(groups, generator("x")) == pytest.approx((0.1, 0.9))
    assert hierarchical_interval([groups[0], np.array([])], generator("x")) == pytest.approx(
        (0.1, 0.1)
    )
