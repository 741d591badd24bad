"""The graph of GraphST on a path."""

from __future__ import annotations

import math

import numpy as np

from methods.graphst.inputs import propagation

PATH = np.array([[1], [2], [1]])


def test_both_adjacencies_on_a_path():
    """D^-1/2 A D^-1/2 + I for Visium; in the standard form the identity is added before."""
    r, s = 1 / math.sqrt(2), 1 / math.sqrt(6)
    visium = [[1, r, 0], [r, 1, r], [0, r, 1]]
    standard = [[1 / 2, s, 0], [s, 1 / 3, s], [0, s, 1 / 2]]
    np.testing.assert_allclose(propagation(PATH, "visium").toarray(), visium, rtol=1e-6)
    np.testing.assert_allclose(propagation(PATH, "standard").toarray(), standard, rtol=1e-6)
