"""scRCL: two aligned views of every cell, refined by gene embeddings, then k-means.

Peng et al., AAAI 2026, arXiv 2512.10640.
"""

from __future__ import annotations

from typing import Any, NamedTuple

import numpy as np
import scipy.sparse as sp
import torch
from torch import Tensor
from torch.nn.functional import normalize

from methods.contract import Data, Job, Params, Result
from methods.shared.clustering.assign import number_of_clusters
from methods.shared.clustering.kmeans import kmeans
from methods.shared.expression.pca import standard_components
from methods.shared.graphs.sections import voted
from methods.shared.graphs.weights import normalized_adjacency, with_loops
from methods.shared.nn.dropout import Mask, activate, draw_mask, dropped_product
from methods.shared.nn.matmul import product
from methods.shared.nn.sparse import SparseMatrix, TiledMatrix, sum_over_edges
from methods.shared.training.fit import Phase, check_data, train_and_cluster
from methods.shared.training.loop import adam_with_decay
from methods.shared.training.seeding import random_stream, torch_stream

from .cosine_kmeans import cosine_kmeans
from .inputs import Inputs, cells_of, gene_neighbours, gene_propagation, spots_of
from .losses import CellGraph, alignment
from .network import Network

SLOPE = 0.01


def prepare(data: Data, params: Params) -> Inputs:
    """Choose genes and features, and build both graphs, as the modality asks."""
    if data.coordinates is None:
        build, n_genes, kind = cells_of, 2000, "counts"
    else:
        build, n_genes, kind = spots_of, 3000, "scaled"
    kind = kind if params.features == "auto" else params.features
    features, cells = build(data, params.n_genes or n_genes, params.n_neighbors, kind)
    genes = gene_propagation(gene_neighbours(features, params.n_gene_neighbors))
    return Inputs(features, cells, genes)


class Views(NamedTuple):
    """Both views of the cells before refinement, cells x width."""

    mlp: Tensor
    gcn: Tensor


class Model:
    """One network on one set of cells."""

    CHANGES = ("network", "dropout")

    def __init__(self, inputs: Inputs, n_clusters: int, params: Params, job: Job) -> None:
        device = job.device
        self.params = params
        self.hops = (params.mlp_hops, params.gcn_hops)
        looped = with_loops(inputs.cells)
        self.features = TiledMatrix(inputs.features, device)
        self.genes_by_cells = self.features.matrix.T
        self.smooth = TiledMatrix(normalized_adjacency(looped), device)
        self.gene_graph = SparseMatrix(inputs.genes, device)
        self.looped = SparseMatrix(looped, device)
        self.cells = CellGraph(inputs.cells, device)
        self.links = float(looped.nnz)
        generator = torch_stream(job.seed, "weights")
        refined = params.refined or n_clusters
        self.network = Network(inputs.features.shape, params.width, refined, generator).to(device)
        self.dropout = torch_stream(job.seed, "dropout", device)

    def mask(self, rate: float) -> Mask | None:
        """Draw the next dropout mask of the width of the views."""
        shape = (self.features.shape[0], self.params.width)
        return draw_mask(shape, rate, self.dropout) if rate else None

    def smoothed(self, x: Tensor, hops: int) -> Tensor:
        """Multiply by the normalised graph some times."""
        for _ in range(hops):
            x = self.smooth @ x
        return x

    def views(self, mask: Mask | None = None) -> Views:
        """Encode; S^a X W is S^a (X W), so smoothed features are never formed."""
        net = self.network
        mlp = self.smoothed(self.features @ net.mlp, self.hops[0])
        mlp = activate(mlp, net.mlp_bias, 0.0)
        gcn = self.smoothed(self.features @ net.first, self.hops[1] + 1)
        gcn = activate(gcn, net.first_bias, SLOPE)
        gcn = activate(self.smooth @ product(gcn, net.second), net.second_bias, SLOPE, mask)
        gcn = activate(product(gcn, net.last), net.last_bias, SLOPE)
        return Views(mlp, gcn)

    def gene_embeddings(self) -> Tensor:
        """Embed genes, genes x refined; (S^a X)^T W is X^T (S^a W) because S is symmetric."""
        weight = self.smoothed(self.network.genes, self.hops[0])
        mixed = self.gene_graph @ (self.genes_by_cells @ weight)
        return torch.relu(mixed + self.network.genes_bias)

    def refine(self, views: Views, masks: tuple[Mask | None, Mask | None]) -> list[Tensor]:
        """Project views on genes and from there on their embeddings; rows of unit length."""
        genes = self.gene_embeddings()
        weight, bias = self.network.projector @ genes, self.network.projector_bias @ genes
        pairs = zip(views, masks, strict=True)
        return [normalize(dropped_product(x, weight, mask) + bias, dim=1) for x, mask in pairs]

    def consistency(self, z1: Tensor, z2: Tensor) -> Tensor:
        """Mean square of z1 z2^T - (A + I) over all pairs, through Gram matrices."""
        gram = ((z1.T @ z1) * (z2.T @ z2)).sum()
        cross = sum_over_edges(z1, z2, self.looped)
        return (gram - 2 * cross + self.links) / len(z1) ** 2

    def step(self, epoch: int) -> dict[str, Tensor]:
        """Align the views, contrast neighbours, and reproduce the graph."""
        params = self.params
        views = self.views(self.mask(params.dropout))
        losses = alignment(*views, self.cells, params.temperature, params.neighbour_weight)
        masks = (self.mask(params.dropout), self.mask(params.dropout))
        z1, z2 = self.refine(views, masks)
        return {**losses, "consistency": params.consistency_weight * self.consistency(z1, z2)}

    def embedding(self) -> np.ndarray:
        """Join the refined views, cells x 2 refined."""
        with torch.no_grad():
            return torch.cat(self.refine(self.views(), (None, None)), dim=1).cpu().numpy()


def n_clusters_and_notes(
    data: Data, cells: sp.csr_matrix, params: Params, job: Job
) -> tuple[int, dict[str, Any]]:
    """
    Return K and what is to be noted of it: the width of the refined views depends on it.

    Among spots the graph knows positions only, whose gaps say nothing of domains: there the
    neighbours in expression count.
    """
    if job.n_clusters is not None:
        return job.n_clusters, {"k_rule": "given"}
    graph = cells if data.coordinates is None else None
    components = standard_components(data.counts, 2000, 30)
    return number_of_clusters(components, job, params.k_rule, graph)


def cluster(embedding: np.ndarray, n_clusters: int, params: Params, job: Job) -> np.ndarray:
    """Run k-means on the joined views."""
    rng = random_stream(job.seed, "head")
    if params.head == "single":
        return cosine_kmeans(embedding, n_clusters, rng)
    return kmeans(embedding, n_clusters, rng, params.kmeans_starts)


def fit(data: Data, params: Params, job: Job) -> Result:
    """Train both views together, cluster the refined ones, smooth over the tissue if asked."""
    check_data(data, job)
    inputs = prepare(data, params)
    n_clusters, number = n_clusters_and_notes(data, inputs.cells, params, job)
    model = Model(inputs, n_clusters, params, job)

    def head() -> Result:
        embedding = model.embedding()
        plain = cluster(embedding, n_clusters, params, job)
        notes = {**number, "refined": len(model.network.genes_bias)}
        found = voted(Result(plain, embedding, notes=notes), data, params.refine)
        found.notes["changed_by_vote"] = float(np.mean(found.clusters != plain))
        return found

    optimiser = adam_with_decay(model.network, params)
    phases = [Phase(optimiser, model.step, params.epochs)]
    return train_and_cluster(model, job, params.epochs, phases, head)
