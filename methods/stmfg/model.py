"""stMFG: two graph views fused by attention after every convolution, contrasted, then k-means.

Mei et al., arXiv 2512.16188 (2025). No code is public: the card tells the paper's statements from
what is taken from its lineage and what is our reconstruction.
"""

from __future__ import annotations

import numpy as np
import torch
from torch import Tensor

from methods.contract import Data, Job, Params, Result
from methods.shared.clustering.assign import kmeans_result, mixture_result
from methods.shared.graphs.sections import voted
from methods.shared.graphs.two_views import TwoViews
from methods.shared.losses.gram import gram_distance
from methods.shared.losses.graph import CosineGraphLoss
from methods.shared.losses.zinb import ZinbTarget
from methods.shared.nn.sparse import TiledMatrix
from methods.shared.training.fit import Phase, check_data, train_and_cluster
from methods.shared.training.loop import adam_with_decay
from methods.shared.training.seeding import torch_stream

from .inputs import prepare, propagation
from .losses import ViewContrast
from .network import Layer, Network


class Model:
    """One network on one tissue."""

    CHANGES = ("network", "negatives")

    def __init__(self, inputs: TwoViews, params: Params, job: Job) -> None:
        device, n = job.device, len(inputs.near.indptr) - 1
        self.params = params
        self.features = TiledMatrix(inputs.features, device)
        self.near = TiledMatrix(propagation(inputs.near, params.propagation), device)
        self.alike = TiledMatrix(propagation(inputs.alike, params.propagation), device)
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
        """Return z after the last update, or what the last layer's views are fused into."""
        with torch.no_grad():
            layers = self.layers()
            fused = self.params.embedding == "fused"
            return (layers[1].fused if fused else self.network.embed(layers)).cpu().numpy()


def fit(data: Data, params: Params, job: Job) -> Result:
    """Train on both graphs and cluster the embedding."""
    check_data(data, job, "stMFG")
    inputs = prepare(data, params)
    model = Model(inputs, params, job)

    def head() -> Result:
        cluster = kmeans_result if params.head == "kmeans" else mixture_result
        found = cluster(model.embedding(), job, params.k_rule, params.kmeans_starts)
        drawn = "all spots" if model.contrast.exact else f"{model.contrast.negatives} drawn spots"
        pairs = "exact" if model.spatial_loss.exact else "closed form"
        found.notes |= {**inputs.notes, "negatives": drawn, "spatial_loss": pairs}
        return voted(found, data, params.refine)

    optimiser = adam_with_decay(model.network, params)
    phases = [Phase(optimiser, model.step, params.epochs)]
    return train_and_cluster(model, job, params.epochs, phases, head)
