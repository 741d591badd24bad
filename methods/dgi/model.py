"""DGI: a graph convolution that tells cells from shuffled ones by the mean of all; k-means.

Veličković et al., ICLR 2019, arXiv 1809.10341; width, rate and epochs of PyTorch Geometric's
``examples/infomax_transductive.py``.
"""

from __future__ import annotations

import numpy as np
import torch
from torch import Tensor
from torch_geometric.nn import DeepGraphInfomax, GCNConv

from methods.contract import Data, Job, Params, Result
from methods.shared.graphs.components import ComponentGraph
from methods.shared.training.loop import fused_adam
from methods.shared.training.on_components import fit_on_components
from methods.shared.training.seeding import seeded_torch


class Encoder(torch.nn.Module):
    """One graph convolution with a slope of its own for each unit, cells x width."""

    def __init__(self, n_components: int, width: int) -> None:
        super().__init__()
        self.conv = GCNConv(n_components, width, cached=True)
        self.prelu = torch.nn.PReLU(width)

    def forward(self, x: Tensor, adjacency: Tensor) -> Tensor:
        """Embed all cells."""
        return self.prelu(self.conv(x, adjacency))


def shuffled(x: Tensor, adjacency: Tensor) -> tuple[Tensor, Tensor]:
    """Give every cell the features of another; the graph stays."""
    return x[torch.randperm(len(x)).to(x.device)], adjacency


def summary(z: Tensor, *_: Tensor) -> Tensor:
    """Average all cells, width."""
    return z.mean(dim=0).sigmoid()


class Model:
    """One network on one set of cells."""

    CHANGES = ("network",)

    def __init__(self, graph: ComponentGraph, params: Params, job: Job) -> None:
        self.graph, self.seed = graph, job.seed
        with seeded_torch(job.seed, "weights"):
            encoder = Encoder(graph.features.shape[1], params.width)
            network = DeepGraphInfomax(params.width, encoder, summary, shuffled)
        self.network = network.to(job.device)
        self.optimiser = fused_adam(self.network.parameters(), params.learning_rate)

    def step(self, epoch: int) -> dict[str, Tensor]:
        """Tell every cell from a shuffled one by their product with the summary."""
        with seeded_torch(self.seed, f"epoch {epoch}"):
            parts = self.network(self.graph.features, self.graph.adjacency)
        return {"infomax": self.network.loss(*parts)}

    def embedding(self) -> np.ndarray:
        """Embed all cells, cells x width."""
        with torch.no_grad():
            return self.network.encoder(self.graph.features, self.graph.adjacency).cpu().numpy()


def fit(data: Data, params: Params, job: Job) -> Result:
    """Train on the graph of all cells and run k-means on the embedding."""
    return fit_on_components(data, params, job, Model)
