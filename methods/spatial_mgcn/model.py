"""Spatial-MGCN: a spatial, an expression and a shared graph view, blended by attention.

Wang et al., Briefings in Bioinformatics 24, bbad262 (2023), doi 10.1093/bib/bbad262.
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
import scipy.sparse as sp
import torch
from torch import Tensor

from methods.contract import Data, Job, Params, Result
from methods.shared.clustering.assign import kmeans_result, mixture_result
from methods.shared.clustering.kmeans import check_clusters
from methods.shared.expression.spots import filtered_expression
from methods.shared.graphs.neighbors import expression_knn
from methods.shared.graphs.sections import section_vote
from methods.shared.graphs.weights import adjacency, row_normalized_with_loops, symmetrized
from methods.shared.losses.gram import gram_distance
from methods.shared.losses.graph import CosineGraphLoss
from methods.shared.losses.zinb import ZinbTarget, zinb_heads
from methods.shared.nn.sparse import TiledMatrix
from methods.shared.training.loop import Training
from methods.shared.training.seeding import torch_stream

from .inputs import spatial_graph
from .network import Network, Views


class Inputs(NamedTuple):
    """What the network sees."""

    features: sp.csr_matrix  # spots x genes, float32
    near: sp.csr_matrix  # symmetric 0/1 graph of spots within the radius, no loops
    alike: sp.csr_matrix  # symmetric 0/1 graph of spots with similar expression, no loops
    notes: dict[str, float | str]


def prepare(data: Data, params: Params) -> Inputs:
    """Build the features and both graphs."""
    features = filtered_expression(data.counts, params.min_spots, params.n_genes)
    near, radius = spatial_graph(data, params.spatial_graph, params.radius, params.densest)
    neighbours, rule = expression_knn(features, params.n_neighbors)
    notes = {
        "genes": features.shape[1],
        "radius_pitches": radius,
        "spatial_degree": near.nnz / near.shape[0],
        "expression_neighbours": rule,
    }
    return Inputs(features, near, symmetrized(adjacency(neighbours)), notes)


class Model:
    """One network on one tissue."""

    CHANGES = ("network", "before")

    def __init__(self, inputs: Inputs, params: Params, job: Job) -> None:
        device = job.device
        self.params = params
        self.features = TiledMatrix(inputs.features, device)
        self.near = TiledMatrix(row_normalized_with_loops(inputs.near, params.loops), device)
        self.alike = TiledMatrix(row_normalized_with_loops(inputs.alike), device)
        self.spatial_loss = CosineGraphLoss(inputs.near, params.exact_pairs_up_to, device)
        self.target = ZinbTarget(inputs.features, None, device)
        generator = torch_stream(job.seed, "weights")
        self.network = Network(inputs.features.shape[1], generator).to(device)
        self.before: Tensor | None = None

    def views(self) -> Views:
        """Encode all spots on both graphs."""
        return self.network.views(self.features, self.near, self.alike)

    def step(self, epoch: int) -> dict[str, Tensor]:
        """Explain expression, make the shared views agree and follow the spatial graph."""
        net, params = self.network, self.params
        views = self.views()
        z = net.embed(views)
        self.before = z.detach()
        zinb = zinb_heads(net.decode(z), net.head, net.head_bias, self.target)
        agreement = gram_distance(views.shared_spatial, views.shared_expression)
        return {
            "zinb": params.alpha * zinb,
            "consistency": params.beta * agreement,
            "spatial": params.gamma * self.spatial_loss(z),
        }

    def embedding(self) -> np.ndarray:
        """Return z after the last update or, as the authors record it, from just before."""
        if self.params.embedding == "before" and self.before is not None:
            return self.before.cpu().numpy()
        with torch.no_grad():
            return self.network.embed(self.views()).cpu().numpy()

    def optimiser(self) -> torch.optim.Adam:
        """Return Adam with decay added to the gradient."""
        rate, decay = self.params.learning_rate, self.params.weight_decay
        return torch.optim.Adam(self.network.parameters(), rate, weight_decay=decay, fused=True)


def fit(data: Data, params: Params, job: Job) -> Result:
    """Train on both graphs and cluster the blended embedding."""
    if data.coordinates is None:
        raise ValueError("coordinates: none given; Spatial-MGCN runs on spatial data only")
    if job.n_clusters is not None:
        check_clusters(job.n_clusters, data.n_cells)
    inputs = prepare(data, params)
    model = Model(inputs, params, job)
    place = (data.coordinates, params.refine, data.pitch, data.batch)

    def head() -> Result:
        cluster = kmeans_result if params.head == "kmeans" else mixture_result
        found = cluster(model.embedding(), job, params.k_rule, params.kmeans_starts)
        found.clusters = section_vote(found.clusters, *place)
        return found

    training = Training(job, params.epochs, lambda: head().clusters, model)
    training.run(model.optimiser(), model.step, params.epochs)
    final = head()
    assert final.embedding is not None
    pairs = "exact" if model.spatial_loss.exact else "closed form"
    notes = {**final.notes, **inputs.notes, "spatial_loss": pairs}
    return training.result(final.clusters, final.embedding, notes)
