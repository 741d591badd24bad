"""The graph autoencoder: two graph convolutions, an inner-product decoder.

Kipf and Welling, arXiv 1611.07308.
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
import scipy.sparse as sp
import torch
from torch import Tensor, nn

from methods.shared.graphs.weights import normalized_adjacency, with_loops
from methods.shared.nn.layers import glorot
from methods.shared.nn.sparse import SparseMatrix

from .losses import InnerProductDecoder


class Draws(NamedTuple):
    """Random generators of one graph autoencoder, all on the CPU."""

    weights: torch.Generator
    noise: torch.Generator
    pairs: torch.Generator
    edges: np.random.Generator


def binarised(latent: np.ndarray) -> np.ndarray:
    """Mark where a cell exceeds the mean over cells, cells x d."""
    return (latent > latent.mean(axis=0)).astype(np.float32)


def without_some_edges(
    graph: sp.csr_matrix, share: float, rng: np.random.Generator
) -> sp.csr_matrix:
    """Remove a random share of the undirected edges."""
    upper = sp.triu(graph, k=1).tocoo()
    keep = rng.permutation(upper.nnz)[int(share * upper.nnz) :]
    half = sp.csr_matrix((upper.data[keep], (upper.row[keep], upper.col[keep])), upper.shape)
    return sp.csr_matrix(half + half.T)


class GraphAutoencoder(nn.Module):
    """
    Encode features over a graph so that inner products give the edges.

    Parameters
    ----------
    graph
        Symmetric 0/1 without diagonal.
    features
        cells x d, constant.
    variational
        Sample the latent around its mean and add the divergence from a standard normal.
    exact_up_to
        Cells up to which all pairs are visited.
    draws
        Random generators.
    device
        Torch device.
    """

    def __init__(
        self,
        graph: sp.csr_matrix,
        features: np.ndarray,
        variational: bool,
        exact_up_to: int,
        draws: Draws,
        device: str,
    ) -> None:
        super().__init__()
        looped = with_loops(graph)
        self.propagation = SparseMatrix(normalized_adjacency(looped), device)
        given = torch.as_tensor(features, dtype=torch.float32, device=device)
        self.features = self.propagation @ given  # S F never changes
        self.decoder = InnerProductDecoder(looped, exact_up_to, draws.pairs, device)
        self.variational = variational
        self.noise = draws.noise
        self.first = glorot(features.shape[1], 32, generator=draws.weights)
        self.mean = glorot(32, 16, generator=draws.weights)
        self.log_sd = glorot(32, 16, generator=draws.weights)
        self.to(device)
        self.embedding = given.new_zeros(len(given), 16)

    def forward(self) -> tuple[Tensor, Tensor]:
        """Return mean and log s.d. of the latent, cells x 16 each."""
        hidden = self.propagation @ torch.relu(self.features @ self.first)
        return hidden @ self.mean, hidden @ self.log_sd

    def step(self, epoch: int) -> dict[str, Tensor]:
        """Return the losses and remember the mean."""
        mean, log_sd = self()
        self.embedding = mean.detach()
        if not self.variational:
            return {"graph": self.decoder(mean)}
        noise = torch.randn(mean.shape, generator=self.noise).to(mean.device)
        loss = self.decoder(mean + noise * log_sd.exp())
        return {"graph": loss, "divergence": divergence(mean, log_sd)}


def divergence(mean: Tensor, log_sd: Tensor) -> Tensor:
    """Average divergence from a standard normal over cells, divided by their number once more."""
    terms = 1 + 2 * log_sd - mean.square() - (2 * log_sd).exp()
    return -0.5 / len(mean) * terms.sum(dim=1).mean()
