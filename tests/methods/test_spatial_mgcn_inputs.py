"""Spatial-MGCN's graph of near spots: its radius on tissues, and as the authors search it."""

from __future__ import annotations

import csv
import dataclasses

import numpy as np
import pytest
import scipy.sparse as sp
from scipy.spatial.distance import cdist

from methods.contract import Data, Job, Params
from methods.shared.graphs.neighbors import pitch_of
from methods.shared.graphs.radius import radius_graph
from methods.shared.graphs.two_views import TwoViews, two_views
from methods.spatial_mgcn.inputs import covering_radius, spatial_graph
from tests.conftest import MIRROR, needs_mirror
from tests.methods.shared.test_graphs_radius import hexagonal
from tests.methods.toys import awkward_tissue, params, run, tissue

SMALL = {"epochs": 3, "kmeans_starts": 3}


def prepare(data: Data, chosen: Params) -> TwoViews:
    """Build features and graphs as `fit` does."""
    near, radius = spatial_graph(data, chosen.spatial_graph, chosen.radius, chosen.densest)
    return two_views(data, near, radius, chosen.min_spots, chosen.n_genes, chosen.n_neighbors)


def pixels(folder: str, column: str | None) -> np.ndarray:
    """Positions of a Visium slice in full-resolution pixels, spots with a label."""
    with (MIRROR / folder / "tissue_positions_list.csv").open() as file:
        rows = {row[0]: (float(row[5]), float(row[4])) for row in csv.reader(file) if row[1] == "1"}
    if column is None:
        return np.array(list(rows.values()))
    with (MIRROR / folder / "metadata.tsv").open() as file:
        header, *lines = csv.reader(file, delimiter="\t")
    at = header.index(column) + len(lines[0]) - len(header)
    return np.array([rows[line[0]] for line in lines if line[at] not in ("NA", "")])


@needs_mirror
def test_radius_graph_of_a_cortex_slice_has_the_published_edges():
    """Slice 151507, 560 pixels or 4.09 pitches: 243,063 edges with the diagonal."""
    coordinates = pixels("dlpfc_151507", "layer_guess")
    assert len(coordinates) == 4221
    graph = radius_graph(coordinates, 560.0)
    assert graph.nnz + len(coordinates) == 243_063
    portable = radius_graph(coordinates, 4.09 * pitch_of(coordinates))
    assert portable.nnz == pytest.approx(graph.nnz, rel=1e-3)


@needs_mirror
def test_degree_search_on_breast_finds_the_published_radius():
    """550 pixels with 65,058 off-diagonal entries, in pixels and in pitches."""
    coordinates = pixels("human_breast_cancer_visium", None)
    assert len(coordinates) == 3798
    found = covering_radius(coordinates, 15, step=5.0)
    assert found == pytest.approx(550)
    graph = radius_graph(coordinates, found)
    assert graph.nnz == 65_058
    counts = sp.csr_matrix((len(coordinates), 1), dtype=np.float32)
    data = Data(counts, np.array(["g"]), coordinates, 273.0)
    portable, radius = spatial_graph(data, "degree", 4.09, 15)
    assert radius == pytest.approx(550 / 273)
    assert (portable != graph).nnz == 0


def stepwise(coordinates: np.ndarray, densest: int) -> float:
    """Search as the authors do, in three passes of ever smaller steps."""
    distance = cdist(coordinates, coordinates)

    def enough(t: float) -> bool:
        degree = (distance <= t).sum(axis=1)
        return bool(degree.min() > 2 and degree.max() > densest)

    first = next(t for t in range(100, 1000, 100) if enough(t))
    second = next(t for t in range(first - 100, 1000, 10) if enough(t))
    return next(t for t in range(second - 10, 1000, 5) if enough(t))


@pytest.mark.parametrize("seed", range(5))
def test_covering_radius_equals_the_search(seed):
    """One query gives what three passes over a grid find."""
    rng = np.random.default_rng(seed)
    coordinates = hexagonal(9) * rng.uniform(100, 250) + rng.normal(0, 10, (81, 2))
    assert covering_radius(coordinates, 15, step=5.0) == pytest.approx(stepwise(coordinates, 15))


def test_isolated_spots_and_pieces_keep_to_themselves():
    """Bad input: no edge joins pieces; a spot without neighbours averages over itself."""
    data = awkward_tissue("isolated spots")
    inputs = prepare(data, params("spatial_mgcn"))
    degree = np.asarray(inputs.near.sum(axis=1)).ravel()
    assert (degree[:3] == 0).all()
    assert (degree[3:] > 0).all()
    near = prepare(awkward_tissue("two far pieces"), params("spatial_mgcn")).near
    assert near[:40][:, 40:].nnz == 0


@pytest.mark.parametrize("kind", ["isolated spots", "fewer spots than neighbours"])
def test_degree_search_without_an_answer_is_named(kind):
    """No radius qualifies; the authors go on with raw distances."""
    with pytest.raises(ValueError, match="spatial_graph"):
        run("spatial_mgcn", awkward_tissue(kind), Job(0, 2), spatial_graph="degree", **SMALL)
    assert covering_radius(np.zeros((3, 2)), 15) == float("inf")


def test_degree_search_does_not_depend_on_the_unit():
    """On a lattice three rings, in any unit."""
    data, _ = tissue()
    found = [
        run("spatial_mgcn", d, Job(0, 3), spatial_graph="degree", **SMALL)
        for d in (data, dataclasses.replace(data, coordinates=data.coordinates / 77, pitch=None))
    ]
    np.testing.assert_array_equal(found[0].clusters, found[1].clusters)
    assert 2 <= found[0].notes["radius_pitches"] < 2 + 5 / 273
