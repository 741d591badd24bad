"""What decides the number of clusters where heads assign cells."""

from __future__ import annotations

import numpy as np

from methods.contract import Job
from methods.shared.clustering.assign import number_of_clusters
from tests.methods.toys import blobs


def test_a_given_number_is_not_estimated():
    assert number_of_clusters(np.empty((0, 0)), Job(0, 7), "bic") == (7, {"k_rule": "given"})
    found, notes = number_of_clusters(blobs(120, 3, gap=9.0)[0], Job(0, None), "eigengap")
    assert found == 3
    assert "eigengap" in notes["k_rule"]
    assert max(notes["k_scores"], key=notes["k_scores"].get) == 3
