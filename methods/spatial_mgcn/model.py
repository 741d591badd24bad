"""Spatial-MGCN: a spatial, an expression and a shared graph view, blended by attention.

Wang et al., Briefings in Bioinformatics 24, bbad262 (2023), doi 10.1093/bib/bbad262.
"""

from __future__ import annotations

import numpy as np
import torch
from torch import Tensor

from methods.contract import Data, Job, Params, Result
from methods.shared.clustering.assign import kmeans_result, mixture_result
from methods.shared.graphs.sections import voted
from methods.shared.graphs.two_views import TwoViews, two_views
from methods.shared.graphs.weights import row_normalized, with_loops
from methods.shared.losses.gram import gram_distance
from methods.shared.losses.graph import CosineGraphLoss
from methods.shared.losses.zinb import ZinbTarget
from methods.shared.nn.sparse import TiledMatrix
from methods.shared.training.fit import Phase, check_data, train_and_cluster
from methods.shared.training.loop import adam_with_decay
from methods.shared.training.seeding import torch_stream

from .inputs import spatial_graph
from .network import Network, Views


class Model:
    """One network on one tissue."""

    CHANGES = ("network", "before")

    def __init__(self, inputs: TwoViews, params: Params, job: Job) -> None:
        device = job.device
        self.params = params
        self.features = TiledMatrix(inputs.features, device)
        self.near = TiledMatrix(row_normalized(with_loops(inputs.near, params.loops)), device)
        self.alike = TiledMatrix(row_normalized(with_loops(inputs.alike)), device)
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
        agreement = gram_distance(views.shared_spatial, views.shared_expression)
        return {
            "zinb": params.alpha * net.decoder.loss(z, self.target),
            "consistency": params.beta * agreement,
            "spatial": params.gamma * self.spatial_loss(z),
        }

    def embedding(self) -> np.ndarray:
        """Return z after the last update or, as the authors record it, from just before."""
        if self.params.embedding == "before" and self.before is not None:
            return self.before.cpu().numpy()
        with torch.no_grad():
            return self.network.embed(self.views()).cpu().numpy()


def fit(data: Data, params: Params, job: Job) -> Result:
    """Train on both graphs and cluster the blended embedding."""
    check_data(data, job, "Spatial-MGCN")
    near, radius = spatial_graph(data, params.spatial_graph, params.radius, params.densest)
    sizes = (params.min_spots, params.n_genes, params.n_neighbors)
    inputs = two_views(data, near, radius, *sizes)
    model = Model(inputs, params, job)

    def head() -> Result:
        cluster = kmeans_result if params.head == "kmeans" else mixture_result
        found = cluster(model.embedding(), job, params.k_rule, params.kmeans_starts)
        pairs = "exact" if model.spatial_loss.exact else "closed form"
        found.notes |= {**inputs.notes, "spatial_loss": pairs}
        return voted(found, data, params.refine)

    optimiser = adam_with_decay(model.network, params)
    phases = [Phase(optimiser, model.step, params.epochs)]
    return train_and_cluster(model, job, params.epochs, phases, head)
