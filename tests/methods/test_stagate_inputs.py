"""STAGATE's expression, and the spots that see each other."""

from __future__ import annotations

import dataclasses

import numpy as np
import pytest
import scipy.sparse as sp

from methods.contract import Data, Job
from methods.stagate.inputs import Reach, log_expression, spot_graph
from methods.stagate.section_graphs import between_sections, radius_of_mean_degree, section_graph
from tests.methods.toys import params, run, tissue

SMALL = {"width": 24, "latent": 5, "epochs": 4}


def reach(**changes) -> Reach:
    chosen = params("stagate", **changes)
    return Reach(*(getattr(chosen, field) for field in Reach._fields))


def test_sections_are_joined_to_the_next_alone():
    """None between non-consecutive sections; by default none between any."""
    data, _ = tissue(6)
    sections = np.repeat([2, 0, 5], 36)
    jitter = np.random.default_rng(0).normal(0, 3, (108, 2))
    stack = np.tile(data.coordinates, (3, 1)) + jitter
    within = section_graph(stack, 110, 100, sections)
    rows, columns = within.nonzero()
    assert (sections[rows] == sections[columns]).all()
    rows, columns = between_sections(stack, 110, 100, sections).nonzero()
    pairs = set(zip(sections[rows].tolist(), sections[columns].tolist(), strict=True))
    assert pairs == {(0, 2), (2, 0), (2, 5), (5, 2)}
    joint = Data(sp.vstack([data.counts] * 3).tocsr(), data.genes, stack, 100.0, batch=sections)
    apart, _ = spot_graph(joint, reach())
    assert (apart != within).nnz == 0
    together, _ = spot_graph(joint, reach(section_radius=1.1))
    assert together.nnz == within.nnz + len(rows)
    listed, _ = spot_graph(joint, reach(graph="knn"))
    rows, columns = listed.nonzero()
    assert (sections[rows] == sections[columns]).all()
    assert run("stagate", joint, Job(0, 3), section_radius=1.1, **SMALL).clusters.shape == (108,)


def test_nearest_spots_receive_from_those_that_list_them():
    """The graph of nearest spots is not symmetric; messages flow to listed ones."""
    line = np.column_stack([[0.0, 1.0, 2.5, 9.0], np.zeros(4)])
    data = dataclasses.replace(tissue(2)[0], coordinates=line, pitch=1.0)
    graph, _ = spot_graph(data, reach(graph="knn", n_neighbors=1))
    np.testing.assert_array_equal(np.argwhere(graph.toarray()), [[0, 1], [1, 0], [1, 2], [2, 3]])


def test_radius_grows_on_irregular_positions():
    """To a few neighbours on average, as with the authors' radii."""
    points = np.random.default_rng(0).random((400, 2)) * 100
    data = dataclasses.replace(tissue(20)[0], coordinates=points, pitch=None)
    _, facts = spot_graph(data, reach())
    assert facts["mean_degree"] == pytest.approx(6, abs=0.1)
    _, facts = spot_graph(data, reach(mean_degree=0.0))
    assert facts["mean_degree"] < 2
    assert radius_of_mean_degree(points * 0, 6) == 0
    assert radius_of_mean_degree(points[:1], 6) == 0


def test_features_are_logs_that_are_not_centred():
    """10,000 a spot, log1p, no scaling."""
    data, _ = tissue(5)
    counts = data.counts.toarray()
    expected = np.log1p(1e4 * counts / counts.sum(axis=1, keepdims=True))
    np.testing.assert_allclose(log_expression(data.counts, 3000).toarray(), expected, rtol=1e-5)
