"""GraphMAE: hidden features of cells are reconstructed from those around; k-means.

Hou et al., KDD 2022, arXiv 2205.10803, doi 10.1145/3534678.3539321; settings of the authors'
``configs.yml`` for Cora.
"""

from __future__ import annotations

import math

import numpy as np
import torch
from torch import Tensor
from torch.nn.functional import cosine_similarity

from methods.contract import Data, Job, Params, Result
from methods.shared.graphs.components import ComponentGraph
from methods.shared.training.loop import adam_with_decay
from methods.shared.training.on_components import fit_on_components
from methods.shared.training.seeding import seeded_torch

from .network import Network, draw_mask


def scaled_cosine_error(found: Tensor, true: Tensor, gamma: int) -> Tensor:
    """Average (1 - cosine)^gamma over rows; the power makes little of what is almost right."""
    return (1 - cosine_similarity(found, true, dim=1)).pow(gamma).mean()


class Model:
    """One network on one set of cells."""

    CHANGES = ("network",)

    def __init__(self, graph: ComponentGraph, params: Params, job: Job) -> None:
        self.graph, self.params, self.seed = graph, params, job.seed
        with seeded_torch(job.seed, "weights"):
            network = Network(graph.features.shape[1], params.width, params.dropout)
        self.network = network.to(job.device)
        self.optimiser = adam_with_decay(self.network, params)

    def step(self, epoch: int) -> dict[str, Tensor]:
        """Hide some cells and reconstruct them, at a rate that falls along half a cosine."""
        params, x = self.params, self.graph.features
        rate = 0.5 * params.learning_rate * (1 + math.cos(math.pi * epoch / params.epochs))
        self.optimiser.param_groups[0]["lr"] = rate
        self.network.train()
        with seeded_torch(self.seed, f"epoch {epoch}"):
            mask = draw_mask(len(x), params.mask_rate, params.replace_rate, x.device)
            found = self.network(x, self.graph.adjacency, mask)
        return {"features": scaled_cosine_error(found, x[mask.hidden], params.gamma)}

    def embedding(self) -> np.ndarray:
        """Embed all cells with nothing hidden, cells x width."""
        self.network.eval()
        with torch.no_grad():
            return self.network.encode(self.graph.features, self.graph.adjacency).cpu().numpy()


def fit(data: Data, params: Params, job: Job) -> Result:
    """Train on the graph of all cells and run k-means on the embedding."""
    return fit_on_components(data, params, job, Model)
