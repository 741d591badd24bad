"""Each partition metric against formulas of our own, by hand, and by its properties."""

from __future__ import annotations

from math import comb

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from blindfold.core.matching import match_clusters
from blindfold.score.metric import find_metrics

SYMMETRIC = ["ari", "nmi", "ami", "v_measure", "fmi"]
PARTITION = [*SYMMETRIC, "homogeneity", "completeness", "accuracy", "macro_f1"]


def compute(name: str, truth, clusters) -> float:
    truth, clusters = np.asarray(truth), np.asarray(clusters)
    metric = find_metrics()[name]
    matching = match_clusters(truth, clusters, np.arange(len(truth)))
    given_ = {"truth": truth, "clusters": clusters, "matching": matching}
    return metric.function(**{need: given_[need] for need in metric.needs})


def contingency(truth, clusters) -> np.ndarray:
    return pd.crosstab(truth, clusters).to_numpy()


def pairs(counts) -> int:
    return sum(comb(int(n), 2) for n in np.ravel(counts))


def entropy(counts) -> float:
    p = np.ravel(counts)[np.ravel(counts) > 0] / np.sum(counts)
    return float(-(p * np.log(p)).sum())


def second_source(truth, clusters) -> dict[str, float]:
    table = contingency(truth, clusters)
    a, b, n = table.sum(1), table.sum(0), len(truth)
    both, expected = pairs(table), pairs(a) * pairs(b) / comb(n, 2)
    h_truth, h_clusters = entropy(a), entropy(b)
    shared = h_truth + h_clusters - entropy(table)
    mean = (h_truth + h_clusters) / 2
    homogeneity, completeness = shared / h_truth, shared / h_clusters
    return {
        "ari": (both - expected) / ((pairs(a) + pairs(b)) / 2 - expected),
        "nmi": shared / mean,
        "homogeneity": homogeneity,
        "completeness": completeness,
        "v_measure": 2 * homogeneity * completeness / (homogeneity + completeness),
        "fmi": both / np.sqrt(pairs(a) * pairs(b)),
    }


@pytest.mark.parametrize("seed", range(5))
def test_contingency_formulas_agree(seed):
    rng = np.random.default_rng(seed)
    truth, noise = rng.integers(0, 4, 80), rng.integers(0, 6, 80)
    clusters = np.where(rng.random(80) < 0.5, truth, noise)
    for name, value in second_source(truth, clusters).items():
        assert compute(name, truth, clusters) == pytest.approx(value, abs=1e-12), name


def test_ami_against_the_permutation_model():
    rng = np.random.default_rng(0)
    truth = rng.integers(0, 3, 60)
    clusters = np.where(rng.random(60) < 0.6, truth, rng.integers(0, 4, 60))

    def shared(a, b):
        return (
            entropy(contingency(a, b).sum(1))
            + entropy(contingency(a, b).sum(0))
            - entropy(contingency(a, b))
        )

    chance = np.mean([shared(truth, rng.permutation(clusters)) for _ in range(4000)])
    mean = (entropy(np.bincount(truth)) + entropy(np.bincount(clusters))) / 2
    value = (shared(truth, clusters) - chance) / (mean - chance)
    assert compute("ami", truth, clusters) == pytest.approx(value, abs=2e-3)


def test_accuracy_and_f1_by_hand():
    truth = [0, 0, 0, 0, 1, 1, 1, 2]
    clusters = [1, 1, 1, 0, 0, 0, 2, 2]  # matched: 1 -> 0 (3), 0 -> 1 (2), 2 -> 2 (1)
    assert compute("accuracy", truth, clusters) == pytest.approx(6 / 8)
    f1 = [2 * 3 / (3 + 4), 2 * 2 / (3 + 3), 2 * 1 / (2 + 1)]
    assert compute("macro_f1", truth, clusters) == pytest.approx(np.mean(f1))


def test_more_and_fewer_clusters_than_classes():
    assert compute("accuracy", [0, 0, 1, 1], [0, 0, 0, 0]) == 0.5
    assert compute("macro_f1", [0, 0, 1, 1], [0, 0, 0, 0]) == pytest.approx((2 * 2 / 6 + 0) / 2)
    assert compute("accuracy", [0, 0, 1, 1], [0, 1, 2, 3]) == 0.5
    assert compute("macro_f1", [0, 0, 1, 1], [0, 1, 2, 3]) == pytest.approx(2 / 3)
    assert compute("ari", [0, 0, 1, 1], [0, 0, 0, 0]) == 0.0


@pytest.mark.parametrize(("found", "error"), [(1, 2), (3, 0), (4, 1), (12, 9)])
def test_error_of_the_number_of_clusters(found, error):
    """Unlabelled cells have clusters too, so that the partition may hold more cells."""
    k_error = find_metrics()["k_error"].function
    assert k_error(np.arange(24) % found, np.array([0, 1, 2, 1, 0])) == error


labels = st.lists(st.tuples(st.integers(0, 3), st.integers(0, 4)), min_size=2, max_size=40)


@settings(max_examples=40, deadline=None)
@given(labels, st.permutations(range(5)))
def test_properties(pairs_, order):
    truth = np.unique([t for t, _ in pairs_], return_inverse=True)[1]
    clusters = np.unique([c for _, c in pairs_], return_inverse=True)[1]
    renamed = np.unique(np.array(order)[clusters], return_inverse=True)[1]
    for name in PARTITION:
        value = compute(name, truth, clusters)
        low, high = find_metrics()[name].range
        assert low - 1e-9 <= value <= high + 1e-9, name
        assert compute(name, truth, renamed) == pytest.approx(value), name
        if name != "fmi" or np.bincount(truth).max() > 1:  # no pair of cells to agree on
            assert compute(name, truth, truth) == pytest.approx(1), name
    for name in SYMMETRIC:
        assert compute(name, truth, clusters) == pytest.approx(compute(name, clusters, truth))
    assert compute("homogeneity", truth, clusters) == pytest.approx(
        compute("completeness", clusters, truth)
    )
