"""VGAE: graph autoencoder with a Gaussian latent of each cell; k-means on its mean.

Kipf and Welling 2016, arXiv 1611.07308; sizes, rate and epochs of PyTorch Geometric's
``examples/autoencoder.py --variational``.
"""

from __future__ import annotations

import numpy as np
import torch
from torch import Tensor
from torch_geometric.nn import VGAE, GCNConv

from methods.contract import Data, Job, Params, Result
from methods.shared.graphs.components import ComponentGraph
from methods.shared.losses.links import Links
from methods.shared.training.loop import fused_adam
from methods.shared.training.on_components import fit_on_components
from methods.shared.training.seeding import seeded_torch


class Encoder(torch.nn.Module):
    """A graph convolution, and two of its output: mean and logarithm of the deviation."""

    def __init__(self, n_components: int, width: int, latent: int) -> None:
        super().__init__()
        self.conv1 = GCNConv(n_components, width, cached=True)
        self.conv_mu = GCNConv(width, latent, cached=True)
        self.conv_logstd = GCNConv(width, latent, cached=True)

    def forward(self, x: Tensor, adjacency: Tensor) -> tuple[Tensor, Tensor]:
        """Return mean and log deviation of all cells, cells x latent each."""
        x = self.conv1(x, adjacency).relu()
        return self.conv_mu(x, adjacency), self.conv_logstd(x, adjacency)


class Model:
    """One variational autoencoder on one set of cells."""

    CHANGES = ("network",)

    def __init__(self, graph: ComponentGraph, params: Params, job: Job) -> None:
        self.graph, self.seed = graph, job.seed
        self.links = Links(graph.edges, len(graph.features))
        with seeded_torch(job.seed, "weights"):
            network = VGAE(Encoder(graph.features.shape[1], params.width, params.latent))
        self.network = network.to(job.device)
        self.optimiser = fused_adam(self.network.parameters(), params.learning_rate)

    def step(self, epoch: int) -> dict[str, Tensor]:
        """Tell edges from other pairs by a draw of the latent, and keep it near N(0, 1)."""
        self.network.train()
        with seeded_torch(self.seed, f"epoch {epoch}"):
            non_edges = self.links.non_edges()
            z = self.network.encode(self.graph.features, self.graph.adjacency)
        return {
            "edges": self.network.recon_loss(z, self.links.edges, non_edges),
            "divergence": self.network.kl_loss() / len(z),
        }

    def embedding(self) -> np.ndarray:
        """Return the means, cells x latent."""
        self.network.eval()
        with torch.no_grad():
            return self.network.encode(self.graph.features, self.graph.adjacency).cpu().numpy()


def fit(data: Data, params: Params, job: Job) -> Result:
    """Train on the graph of all cells and run k-means on the means."""
    return fit_on_components(data, params, job, Model)
