"""Features and graphs of Spatial-MGCN, and its losses over all pairs of spots."""

from __future__ import annotations

import csv
import math

import numpy as np
import pytest
import scanpy as sc
import scipy.sparse as sp
import torch
from anndata import AnnData
from scipy.spatial.distance import cdist
from sklearn.neighbors import kneighbors_graph
from torch.nn.functional import normalize

from methods.contract import Data
from methods.shared.expression.spots import filtered_expression
from methods.shared.graphs import neighbors
from methods.shared.graphs.neighbors import cosine_knn, expression_knn, pitch_of
from methods.shared.graphs.radius import radius_graph
from methods.shared.graphs.weights import adjacency, row_normalized, symmetrized, with_loops
from methods.shared.losses import graph as graph_losses
from methods.shared.losses.gram import gram_distance
from methods.shared.losses.graph import CosineGraphLoss
from methods.spatial_mgcn.inputs import covering_radius, spatial_graph
from tests.conftest import MIRROR, needs_mirror
from tests.methods.toys import tissue


def test_features_are_those_of_the_layer_library():
    """Spatial-MGCN 1: genes in enough spots, seurat_v3, totals over chosen genes, no logarithm."""
    data, _ = tissue(20, genes=200)
    found = filtered_expression(data.counts, 250, 50)  # a fifth of 400 spots: 80
    adata = AnnData(data.counts.copy())
    sc.pp.filter_genes(adata, min_cells=80)
    sc.pp.highly_variable_genes(adata, n_top_genes=50, flavor="seurat_v3")
    adata = adata[:, adata.var["highly_variable"]].copy()
    sc.pp.normalize_total(adata, target_sum=1e4)
    sc.pp.scale(adata, zero_center=False, max_value=10)
    np.testing.assert_allclose(found.toarray(), adata.X.toarray(), rtol=1e-5)
    assert found.data.min() > 0
    assert found.nnz <= data.counts.nnz


def test_rare_genes_are_left_out():
    """Spatial-MGCN 1: the least number of spots, up to a fifth, or half the commonest gene's."""
    counts = sp.csr_matrix(np.triu(np.ones((50, 50), dtype=np.float32)))
    assert filtered_expression(counts, 8, 100).shape == (50, 43)
    assert filtered_expression(counts, 100, 100).shape == (50, 41)
    assert filtered_expression(sp.csr_matrix(counts[:, :12]), 100, 100).shape == (50, 7)
    with pytest.raises(ValueError, match="counts"):
        filtered_expression(sp.csr_matrix((50, 3), dtype=np.float32), 1, 100)


def hexagonal(side: int) -> np.ndarray:
    row, column = np.divmod(np.arange(side * side), side)
    return np.column_stack([column + 0.5 * (row % 2), row * np.sqrt(3) / 2])


def test_radius_reaches_four_rings():
    """Spatial-MGCN 9.2: 60 neighbours at 4.09 pitches inside a hexagonal lattice."""
    places = hexagonal(15) * 137.0
    degree = np.asarray(radius_graph(places, 4.09 * 137).sum(axis=1)).ravel()
    assert degree[15 * 7 + 7] == degree.max() == 60


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
def test_radius_graph_of_a_cortex_slice():
    """Spatial-MGCN 9.2: slice 151507, 560 pixels or 4.09 pitches, 243,063 with the diagonal."""
    places = pixels("dlpfc_151507", "layer_guess")
    assert len(places) == 4221
    graph = radius_graph(places, 560.0)
    assert graph.nnz + len(places) == 243_063
    portable = radius_graph(places, 4.09 * pitch_of(places))
    assert portable.nnz == pytest.approx(graph.nnz, rel=1e-3)


@needs_mirror
def test_degree_search_on_breast():
    """Spatial-MGCN 9.2: 550 pixels with 65,058 off-diagonal entries, in pixels and in pitches."""
    places = pixels("human_breast_cancer_visium", None)
    assert len(places) == 3798
    found = covering_radius(places, 15, step=5.0)
    assert found == pytest.approx(550)
    graph = radius_graph(places, found)
    assert graph.nnz == 65_058
    data = Data(sp.csr_matrix((len(places), 1), dtype=np.float32), np.array(["g"]), places, 273.0)
    portable, radius = spatial_graph(data, "degree", 4.09, 15)
    assert radius == pytest.approx(550 / 273)
    assert (portable != graph).nnz == 0


def stepwise(places: np.ndarray, densest: int) -> float:
    """The search as the authors write it, three passes of ever smaller steps."""
    distance = cdist(places, places)

    def enough(t: float) -> bool:
        degree = (distance <= t).sum(axis=1)
        return bool(degree.min() > 2 and degree.max() > densest)

    first = next(t for t in range(100, 1000, 100) if enough(t))
    second = next(t for t in range(first - 100, 1000, 10) if enough(t))
    return next(t for t in range(second - 10, 1000, 5) if enough(t))


@pytest.mark.parametrize("seed", range(5))
def test_covering_radius_equals_the_search(seed):
    """Spatial-MGCN 1: one query gives what three passes over a grid find."""
    rng = np.random.default_rng(seed)
    places = hexagonal(9) * rng.uniform(100, 250) + rng.normal(0, 10, (81, 2))
    assert covering_radius(places, 15, step=5.0) == pytest.approx(stepwise(places, 15))


@pytest.mark.parametrize("seed", range(3))
def test_radius_graph_equals_all_distances(seed):
    """Spatial-MGCN 6: the tree gives the graph of all distances, in the plane and in space."""
    for width in (2, 3):
        places = np.random.default_rng(seed).uniform(0, 10, (120, width))
        expected = cdist(places, places) <= 2.0
        np.fill_diagonal(expected, False)
        np.testing.assert_array_equal(radius_graph(places, 2.0).toarray(), expected)


def test_radius_graph_does_not_see_rotation_or_scale():
    """Ties at the radius itself are decided alike after rotating, moving and scaling."""
    places, turn = hexagonal(12), np.array([[0.6, -0.8], [0.8, 0.6]])
    plain = radius_graph(places, 2.0)
    moved = radius_graph(71.3 * places @ turn.T + 1e4, 2 * 71.3)
    assert (plain != moved).nnz == 0
    assert plain.sum(axis=1).max() == 18


@pytest.mark.parametrize("loops", [1, 2])
def test_rows_of_the_propagation_sum_to_one(loops):
    """Spatial-MGCN 9.3: rows average; with S_ii = 1 the diagonal is 2 / (row total + 1)."""
    data, _ = tissue()
    graph = radius_graph(data.coordinates, 409.0)
    found = row_normalized(with_loops(graph, loops))
    np.testing.assert_allclose(np.asarray(found.sum(axis=1)).ravel(), 1, rtol=1e-6)
    total = np.asarray(graph.sum(axis=1)).ravel() + (loops - 1)  # of S, its own loops included
    np.testing.assert_allclose(found.diagonal(), loops / (total + 1), rtol=1e-6)
    assert ((found > 0) != (found > 0).T).nnz == 0


def test_expression_rows_sum_to_one_and_lists_are_exact():
    """Spatial-MGCN 9.3 and 1: union of cosine lists of 14 others, no loops; rows average."""
    features = filtered_expression(tissue()[0].counts, 100, 3000)
    neighbours, rule = expression_knn(features, 14)
    assert rule == "exact"
    graph = symmetrized(adjacency(neighbours))
    lists = kneighbors_graph(features, 14, metric="cosine")
    np.testing.assert_array_equal(graph.toarray(), lists.maximum(lists.T).toarray())
    assert graph.diagonal().sum() == 0
    np.testing.assert_allclose(row_normalized(with_loops(graph)).sum(axis=1), 1, rtol=1e-6)


def test_components_above_the_exact_size(monkeypatch):
    """Spatial-MGCN 6: the approximation says so and keeps most neighbours of planted groups."""
    monkeypatch.setattr(neighbors, "N_COMPONENTS", 5)
    data, labels = tissue(14, signal=6.0)
    features = filtered_expression(data.counts, 100, 3000)
    found, rule = expression_knn(features, 14, exact_up_to=100)
    assert rule == "5 components"
    assert found.shape == (196, 14)
    same = [
        (labels[lists] == labels[:, None]).mean() for lists in (found, cosine_knn(features, 14))
    ]
    assert same[0] > same[1] - 0.05


def centred(x: torch.Tensor) -> torch.Tensor:
    return normalize(x - x.mean(dim=0), dim=1)


def dense_gram_distance(first: torch.Tensor, second: torch.Tensor) -> torch.Tensor:
    u, v = centred(first), centred(second)
    return (u @ u.T - v @ v.T).square().sum() / len(u) ** 2


def drawn(*shape: int, seed: int = 0) -> torch.Tensor:
    return torch.tensor(np.random.default_rng(seed).normal(size=shape))


def test_gram_distance_equals_all_pairs():
    """Spatial-MGCN 9.4: the d x d form is the N x N form, values and gradients; never negative."""
    for seed in range(5):
        pair = [x.requires_grad_() for x in drawn(2, 60, 7, seed=seed).unbind()]
        found, expected = gram_distance(*pair), dense_gram_distance(*pair)
        assert abs(found.item() - expected.item()) < 1e-12
        assert found.item() >= 0
        pairs = (torch.autograd.grad(loss, pair) for loss in (found, expected))
        for one, other in zip(*pairs, strict=True):
            torch.testing.assert_close(one, other, rtol=1e-9, atol=1e-12)
        single = gram_distance(*(x.detach().float() for x in pair)).item()
        assert single == pytest.approx(expected.item(), abs=1e-6)


def test_gram_distance_of_a_rotated_view_is_zero():
    """Spatial-MGCN 9.4: C_f = C_s Q with Q orthogonal."""
    x = drawn(50, 6)
    q = torch.linalg.qr(drawn(6, 6, seed=1))[0]
    assert gram_distance(x, x @ q).item() == pytest.approx(0, abs=1e-14)
    assert abs(gram_distance(x.float(), (x @ q).float()).item()) < 1e-6


def literal(z: torch.Tensor, s: torch.Tensor) -> torch.Tensor:
    """The definition on N x N arrays; c_ii = 0."""
    c = torch.nn.functional.cosine_similarity(z[:, None], z[None], dim=2)
    c = c * (1 - torch.eye(len(z), dtype=z.dtype))
    inside = s * torch.sigmoid(c).log() + (1 - s) * (1 - torch.sigmoid(c)).log()
    return -inside.sum() / (2 * len(z) ** 2)


def random_graph(n: int, seed: int = 0, density: float = 0.05) -> np.ndarray:
    upper = np.triu(np.random.default_rng(seed).random((n, n)) < density, 1)
    return (upper | upper.T).astype(np.float64)


@pytest.mark.parametrize("diagonal", [0.0, 1.0])
def test_spatial_loss_equals_its_definition(diagonal):
    """Spatial-MGCN 9.5: N = 200, random S, with and without ones on its diagonal."""
    z, s = drawn(200, 9).requires_grad_(), random_graph(200)
    loss = CosineGraphLoss(sp.csr_matrix(s), 200)
    assert loss.exact
    expected = literal(z, torch.tensor(s + diagonal * np.eye(200)))
    found = loss(z)
    assert abs(found.item() - expected.item()) < 1e-10
    pairs = (torch.autograd.grad(x, z)[0] for x in (found, expected))
    torch.testing.assert_close(*pairs, rtol=1e-7, atol=1e-12)


@pytest.mark.parametrize("rows", [1, 33, 1000])
def test_spatial_loss_by_blocks_equals_whole(rows, monkeypatch):
    """Spatial-MGCN 9.5: any number of rows at a time."""
    whole = graph_losses.softplus_pairs
    monkeypatch.setattr(graph_losses, "softplus_pairs", lambda a, b: whole(a, b, block=rows))
    z, s = drawn(200, 9), random_graph(200)
    found = CosineGraphLoss(sp.csr_matrix(s), 200)(z).item()
    assert found == pytest.approx(literal(z, torch.tensor(s)).item(), abs=1e-10)


@pytest.mark.parametrize("shift", [0.0, 1.0, 5.0])
def test_spatial_loss_in_closed_form_is_close(shift):
    """Spatial-MGCN 9.5: value within 3e-4, direction of the gradient within a percent."""
    z, s = (drawn(200, 9) + shift).requires_grad_(), random_graph(200)
    exact, closed = (CosineGraphLoss(sp.csr_matrix(s), n) for n in (200, 100))
    assert not closed.exact
    values = [loss(z) for loss in (exact, closed)]
    assert abs(values[0].item() - values[1].item()) < 3e-4
    one, other = (torch.autograd.grad(value, z)[0].flatten() for value in values)
    assert torch.nn.functional.cosine_similarity(one, other, dim=0) > 0.99


def test_spatial_loss_of_orthogonal_spots():
    """Spatial-MGCN 9.6: log(2) / 2 without edges; the length of a row does not matter."""
    empty = sp.csr_matrix((8, 8))
    found = CosineGraphLoss(empty, 8)(torch.eye(8, dtype=torch.float64)).item()
    assert found == pytest.approx(math.log(2) / 2, rel=1e-12)
    z, s = drawn(8, 5), sp.csr_matrix(random_graph(8, density=0.4))
    scale = torch.tensor(np.random.default_rng(0).uniform(0.1, 9, (8, 1)))
    for exact_up_to in (8, 0):
        loss = CosineGraphLoss(s, exact_up_to)
        assert loss(scale * z).item() == pytest.approx(loss(z).item(), rel=1e-12)


def test_rows_of_zeros_have_no_direction():
    """Spatial-MGCN 3: their cosines count as 0, exactly as in the definition."""
    z, s = drawn(30, 4), random_graph(30, density=0.3)
    z[:5] = 0
    expected = literal(z, torch.tensor(s)).item()
    assert CosineGraphLoss(sp.csr_matrix(s), 30)(z).item() == pytest.approx(expected, abs=1e-12)
    assert CosineGraphLoss(sp.csr_matrix(s), 0)(z).item() == pytest.approx(expected, abs=3e-4)
