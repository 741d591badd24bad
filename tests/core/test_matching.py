"""Clusters and classes: matched by hand, at ties, and whatever they are called."""

from __future__ import annotations

from itertools import permutations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from blindfold.core.matching import match_clusters, matched_classes


def match(truth, clusters):
    return match_clusters(np.array(truth), np.array(clusters), np.arange(len(truth)))


def test_most_cells_are_right():
    truth = [0, 0, 0, 0, 1, 1, 1, 2]
    clusters = [1, 1, 1, 0, 0, 0, 2, 2]  # 1 -> 0 (3 cells), 0 -> 1 (2), 2 -> 2 (1)
    assert match(truth, clusters) == {1: 0, 0: 1, 2: 2}


def test_a_pair_without_cells_is_no_match():
    assert match([0, 0, 1], [0, 0, 0]) == {0: 0}
    assert match([], []) == {}


def test_names_do_as_well_as_numbers():
    assert match(["a", "a", "b", "b"], ["1", "1", "0", "0"]) == {"1": "a", "0": "b"}
    assert match(["a", "a", "b", "b"], ["1"] * 4) == {"1": "a"}


def test_of_equal_totals_the_higher_f1_wins():
    # cluster 0 holds two cells of class 0 and four others, cluster 1 the other two alone
    truth = [0, 0, 1, 1, 1, 1, 0, 0]
    clusters = [0, 0, 0, 0, 2, 2, 1, 1]
    assert match(truth, clusters) == {1: 0, 2: 1}


def test_clusters_of_the_same_composition_are_told_apart_by_their_first_cell():
    truth, clusters = np.array([0, 0, 0, 0]), np.array([7, 3, 3, 7])
    assert match_clusters(truth, clusters, np.array(["d", "b", "c", "a"])) == {7: 0}
    assert match_clusters(truth, clusters, np.array(["d", "a", "c", "b"])) == {3: 0}


def test_cells_of_unmatched_clusters_have_no_class():
    clusters = np.array(["x", "y", "x", "z"])
    assert matched_classes(clusters, {"x": "longer"}, "").tolist() == ["longer", "", "longer", ""]
    assert matched_classes(np.array([4, 9]), {9: 0}, -1).tolist() == [-1, 0]


cells = st.lists(st.tuples(st.integers(0, 4), st.integers(0, 4)), min_size=1, max_size=30)


@given(cells, st.permutations(range(5)), st.randoms())
def test_neither_the_names_of_clusters_nor_the_order_of_cells_decides(pairs, names, random):
    truth, clusters = map(np.array, zip(*pairs, strict=True))
    named = np.array([f"c{i:02d}" for i in range(len(truth))])
    matched = matched_classes(clusters, match_clusters(truth, clusters, named), -1)
    order = random.sample(range(len(truth)), len(truth))
    shuffled = np.array(names)[clusters][order]
    again = match_clusters(truth[order], shuffled, named[order])
    np.testing.assert_array_equal(matched_classes(shuffled, again, -1), matched[order])


@given(cells)
def test_no_assignment_puts_more_cells_right(pairs):
    truth, clusters = map(np.array, zip(*pairs, strict=True))
    table = np.zeros((5, 5), dtype=int)
    np.add.at(table, (truth, clusters), 1)
    best = max(sum(table[i, j] for i, j in enumerate(order)) for order in permutations(range(5)))
    matched = matched_classes(clusters, match(truth, clusters), -1)
    assert (matched == truth).sum() == best


@pytest.mark.parametrize("seed", range(3))
def test_without_ties_it_is_the_hungarian_assignment(seed):
    from scipy.optimize import linear_sum_assignment

    rng = np.random.default_rng(seed)
    truth = rng.integers(0, 6, 3000)
    clusters = np.where(rng.random(3000) < 0.4, truth, rng.integers(0, 9, 3000))
    table = np.zeros((6, 9), dtype=int)
    np.add.at(table, (truth, clusters), 1)
    rows, columns = linear_sum_assignment(table, maximize=True)
    assert match(truth, clusters) == dict(zip(columns.tolist(), rows.tolist(), strict=True))
