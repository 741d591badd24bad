"""GAE: two graph convolutions whose latent predicts the edges; k-means on the latent.

Kipf and Welling 2016, arXiv 1611.07308; sizes, rate and epochs of PyTorch Geometric's
``examples/autoencoder.py``.
"""

from __future__ import annotations

import numpy as np
import torch
from torch import Tensor
from torch_geometric.nn import GAE, GCNConv

from methods.contract import Data, Job, Params, Result
from methods.shared.graphs.components import ComponentGraph
from methods.shared.losses.links import Links
from methods.shared.training.loop import fused_adam
from methods.shared.training.on_components import fit_on_components
from methods.shared.training.seeding import seeded_torch


class Encoder(torch.nn.Module):
    """Two graph convolutions, cells x components to cells x latent."""

    def __init__(self, n_components: int, width: int, latent: int) -> None:
        super().__init__()
        self.conv1 = GCNConv(n_components, width, cached=True)
        self.conv2 = GCNConv(width, latent, cached=True)

    def forward(self, x: Tensor, adjacency: Tensor) -> Tensor:
        """Embed all cells."""
        return self.conv2(self.conv1(x, adjacency).relu(), adjacency)


class Model:
    """One autoencoder on one set of cells."""

    CHANGES = ("network",)

    def __init__(self, graph: ComponentGraph, params: Params, job: Job) -> None:
        self.graph, self.seed = graph, job.seed
        self.links = Links(graph.edges, len(graph.features))
        with seeded_torch(job.seed, "weights"):
            network = GAE(Encoder(graph.features.shape[1], params.width, params.latent))
        self.network = network.to(job.device)
        self.optimiser = fused_adam(self.network.parameters(), params.learning_rate)

    def encode(self) -> Tensor:
        """Embed all cells, cells x latent."""
        return self.network.encode(self.graph.features, self.graph.adjacency)

    def step(self, epoch: int) -> dict[str, Tensor]:
        """Tell the edges from as many pairs without one."""
        with seeded_torch(self.seed, f"epoch {epoch}"):
            non_edges = self.links.non_edges()
        return {"edges": self.network.recon_loss(self.encode(), self.links.edges, non_edges)}

    def embedding(self) -> np.ndarray:
        """Return the latent, cells x latent."""
        with torch.no_grad():
            return self.encode().cpu().numpy()


def fit(data: Data, params: Params, job: Job) -> Result:
    """Train on the graph of all cells and run k-means on the latent."""
    return fit_on_components(data, params, job, Model)
