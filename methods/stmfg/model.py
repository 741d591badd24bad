"""stMFG: two graph views fused by attention after every convolution, contrasted, then k-means.

Mei et al., arXiv 2512.16188 (2025). No code is public: the card tells the paper's statements from
what is taken from its lineage and what is our reconstruction.
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
import scipy.sparse as sp
import torch
from torch import Tensor

from methods.contract import Data, Job, Params, Result
from methods.shared.clustering.assign import kmeans_result
from methods.shared.clustering.kmeans import check_clusters
from methods.shared.expression.spots import filtered_expression
from methods.shared.graphs.neighbors import expression_knn, pitch_of
from methods.shared.graphs.radius import radius_graph
from methods.shared.graphs.sections import section_vote
from methods.shared.graphs.weights import (
    adjacency,
    normalized_adjacency,
    row_normalized_with_loops,
    symmetrized,
)
from methods.shared.losses.gram import gram_distance
from methods.shared.losses.graph import CosineGraphLoss
from methods.shared.losses.zinb import ZinbTarget
from methods.shared.nn.sparse import TiledMatrix
from methods.shared.training.loop import Training
from methods.shared.training.seeding import torch_stream
from methods.stmfg.losses import ViewContrast

from .network import Layer, Network


class Inputs(NamedTuple):
    """What the network sees."""

    features: sp.csr_matrix  # spots x genes, float32
    near: sp.csr_matrix  # symmetric 0/1 graph of spots within the radius, no loops
    alike: sp.csr_matrix  # symmetric 0/1 graph of spots with similar expression, no loops
    notes: dict[str, float | str]


def prepare(data: Data, params: Params) -> Inputs:
    """Build the features and both graphs."""
    assert data.coordinates is not None
    features = filtered_expression(data.counts, params.min_spots, params.n_genes)
    pitch = data.pitch or pitch_of(data.coordinates)
    radius = params.radius_px or params.radius * pitch
    near = radius_graph(data.coordinates, radius, pitch)
    neighbours, rule = expression_knn(features, params.n_neighbors)
    notes = {
        "genes": features.shape[1],
        "radius_pitches": radius / pitch,
        "spatial_degree": near.nnz / near.shape[0],
        "expression_neighbours": rule,
    }
    return Inputs(features, near, symmetrized(adjacency(neighbours)), notes)


def propagate(graph: sp.csr_matrix, kind: str) -> sp.csr_matrix:
    """Normalise A + I by rows (``average``) or by the roots of both degrees (``symmetric``)."""
    if kind == "average":
        return row_normalized_with_loops(graph)
    own = sp.eye_array(graph.shape[0], dtype=np.float32, format="csr")
    return normalized_adjacency(sp.csr_matrix(graph + own))


class Model:
    """One network on one tissue."""

    CHANGES = ("network", "negatives")

    def __init__(self, inputs: Inputs, params: Params, job: Job) -> None:
        device, n = job.device, len(inputs.near.indptr) - 1
        self.params = params
        self.features = TiledMatrix(inputs.features, device)
        self.near = TiledMatrix(propagate(inputs.near, params.propagation), device)
        self.alike = TiledMatrix(propagate(inputs.alike, params.propagation), device)
        self.spatial_loss = CosineGraphLoss(inputs.near, params.exact_pairs_up_to, device)
        self.negatives = torch_stream(job.seed, "negatives")
        self.contrast = ViewContrast(
            n,
            inputs.near if params.mask_neighbours else None,
            params.temperature,
            params.exact_pairs_up_to,
            params.n_negatives,
            self.negatives,
            device,
        )
        self.target = ZinbTarget(inputs.features, None, device)
        generator = torch_stream(job.seed, "weights")
        kinds = (params.fusion, params.inject, params.scales)
        self.network = Network(inputs.features.shape[1], *kinds, generator).to(device)

    def layers(self) -> tuple[Layer, Layer]:
        """Encode all spots on both graphs."""
        return self.network.layers(self.features, self.near, self.alike)

    def agreement(self, views: Tensor) -> Tensor:
        """Contrast the last layer's views, spots x 2 x 64, or compare their similarities."""
        if self.params.contrast == "gram":
            return gram_distance(views[:, 0], views[:, 1])
        projected = self.network.project(views)
        return self.contrast(projected[:, 0], projected[:, 1])

    def step(self, epoch: int) -> dict[str, Tensor]:
        """Explain expression, find a spot's other view, and follow the spatial graph."""
        net, params = self.network, self.params
        layers = self.layers()
        z = net.embed(layers)
        return {
            "zinb": params.alpha * net.decoder.loss(z, self.target),
            "contrast": params.beta * self.agreement(layers[1].views),
            "spatial": params.gamma * self.spatial_loss(z),
        }

    def embedding(self) -> np.ndarray:
        """Return z after the last update."""
        with torch.no_grad():
            return self.network.embed(self.layers()).cpu().numpy()

    def optimiser(self) -> torch.optim.Adam:
        """Return Adam with decay added to the gradient."""
        rate, decay = self.params.learning_rate, self.params.weight_decay
        return torch.optim.Adam(self.network.parameters(), rate, weight_decay=decay, fused=True)


def fit(data: Data, params: Params, job: Job) -> Result:
    """Train on both graphs and cluster the fused embedding."""
    if data.coordinates is None:
        raise ValueError("coordinates: none given; stMFG runs on spatial data only")
    if job.n_clusters is not None:
        check_clusters(job.n_clusters, data.n_cells)
    inputs = prepare(data, params)
    model = Model(inputs, params, job)
    place = (data.coordinates, params.refine, data.pitch, data.batch)

    def head() -> Result:
        found = kmeans_result(model.embedding(), job, params.k_rule, params.kmeans_starts)
        found.clusters = section_vote(found.clusters, *place)
        return found

    training = Training(job, params.epochs, lambda: head().clusters, model)
    training.run(model.optimiser(), model.step, params.epochs)
    final = head()
    assert final.embedding is not None
    drawn = "all spots" if model.contrast.exact else f"{model.contrast.negatives} drawn spots"
    pairs = "exact" if model.spatial_loss.exact else "closed form"
    notes = {**final.notes, **inputs.notes, "negatives": drawn, "spatial_loss": pairs}
    return training.result(final.clusters, final.embedding, notes)
