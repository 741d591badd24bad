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
from methods.shared.clustering.assign import kmeans_result
from methods.shared.graphs.components import ComponentGraph, component_graph
from methods.shared.training.fit import Phase, check_data, train_and_cluster
from methods.shared.training.loop import fused_adam
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
    check_data(data, job)
    reduced = (params.n_genes, params.n_components)
    nearest = (params.n_neighbors, params.n_spatial_neighbors)
    graph = component_graph(data, *reduced, *nearest, job.device)
    model = Model(graph, params, job)

    def head() -> Result:
        found = kmeans_result(model.embedding(), job, params.k_rule, params.kmeans_starts)
        found.notes |= graph.notes
        return found

    optimiser = fused_adam(model.network.parameters(), params.learning_rate)
    phases = [Phase(optimiser, model.step, params.epochs)]
    return train_and_cluster(model, job, params.epochs, phases, head)
