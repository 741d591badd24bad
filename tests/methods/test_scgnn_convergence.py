"""When the rounds of scGNN end."""

from __future__ import annotations

from itertools import pairwise

import numpy as np
import pytest
import scipy.sparse as sp

from methods.scgnn.convergence import graph_change, stops
from methods.shared.graphs.weights import normalized_adjacency
from tests.methods.test_scgnn_cell_graph import graph


def test_change_equals_its_dense_form():
    """A blend of the first graph and the present one, in both rounds."""
    first, one, two = (graph(seed=s) for s in range(3))
    reference = normalized_adjacency(first).toarray().astype(float)

    def share(a):
        dense = a.toarray().astype(float)
        return dense / np.maximum(dense.sum(axis=0), 1)

    blends = [reference, *(0.5 * reference + 0.5 * share(a) for a in (one, two))]
    scale = np.abs(reference).mean()
    changes = [np.abs(b - a).mean() / scale for a, b in pairwise(blends)]
    assert graph_change(first, None, one) == pytest.approx(changes[0], rel=1e-5)
    assert graph_change(first, one, two) == pytest.approx(changes[1], rel=1e-5)


def test_change_is_none_between_equal_graphs_and_ignores_the_order_of_cells():
    """None where graphs are the same; the same under any order of cells."""
    first, one, two = (graph(seed=s) for s in range(3))
    assert graph_change(first, one, one) == 0
    order = np.random.default_rng(0).permutation(60)
    mixed = [g[order][:, order] for g in (first, one, two)]
    assert graph_change(*mixed) == pytest.approx(graph_change(first, one, two), rel=1e-6)
    empty = sp.csr_matrix((60, 60), dtype=np.float32)
    assert graph_change(empty, None, empty) == 0


@pytest.mark.parametrize(
    ("rule", "expected"),
    [("celltype", [1, 1, 0, 0]), ("graph", [1, 0, 1, 0]), ("either", [1, 1, 1, 0]),
     ("both", [1, 0, 0, 0])],
)  # fmt: skip
def test_rounds_stop_by_the_rule_asked_for(rule, expected):
    """Partition, graph, either or both; never a label."""
    found = [
        stops(rule, partition, graph) for partition in (True, False) for graph in (True, False)
    ]
    assert found == [bool(x) for x in expected]
