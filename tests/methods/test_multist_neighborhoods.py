"""Neighborhoods of spots in the second stage of MultiST."""

from __future__ import annotations

import numpy as np

from methods.multist.neighborhoods import neighborhoods
from tests.methods.toys import tissue


def test_weights_fall_with_distance_and_sum_to_one():
    """0.7 for the spot, 0.3 shared by exp(-d^2 / 2 s^2), s being twice the median."""
    data, _ = tissue(9)
    found = neighborhoods(data.coordinates, 7, data.pitch, None)
    assert found.near.shape == (81, 8)
    np.testing.assert_array_equal(found.near[:, 0], np.arange(81))
    np.testing.assert_allclose(found.weight.sum(axis=1), 1)
    np.testing.assert_allclose(found.weight[:, 0], 0.7)
    others = found.near[40, 1:]
    distance = np.linalg.norm(data.coordinates[others] - data.coordinates[40], axis=1)
    expected = np.exp(-(distance**2) / (2 * 200**2))
    np.testing.assert_allclose(found.weight[40, 1:], 0.3 * expected / expected.sum())
    batch = (np.arange(81) < 3).astype(int)
    parts = neighborhoods(data.coordinates, 7, data.pitch, batch)
    assert parts.known[:3].sum() == 9
    assert (parts.near[:3][parts.known[:3]] < 3).all()
    assert (parts.weight[~parts.known] == 0).all()
    far = data.coordinates.copy()
    far[0] = 1e9
    np.testing.assert_allclose(neighborhoods(far, 7, 100.0, None).weight[0, 0], 1)
    for few in (data.coordinates[:1], 0 * data.coordinates[:3]):
        np.testing.assert_allclose(neighborhoods(few, 7, None, None).weight.sum(axis=1), 1)
