"""Leiden: the search for a resolution says what it found."""

from __future__ import annotations

import numpy as np
import pytest
import scipy.sparse as sp

from methods.shared.clustering.leiden import Leiden
from methods.shared.graphs.weights import fuzzy_graph
from tests.methods.toys import blobs


@pytest.mark.parametrize("k", [2, 4, 9])
def test_leiden_search_meets_k_or_says_it_did_not(k):
    """Where no resolution gives k communities, the status says so instead of an error."""
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
