"""GraphST: linear graph autoencoder with local-summary contrastive learning (clustering).

Long et al., Nature Communications 14, 1155 (2023), doi 10.1038/s41467-023-36796-3.
"""

from __future__ import annotations

import numpy as np
import scipy.sparse as sp
import torch
from torch import Tensor
from torch.nn.functional import normalize, softplus

from methods.contract import Data, Job, Params, Result
from methods.shared.clustering.assign import mixture_result
from methods.shared.expression.pca import compact_product, dense_components
from methods.shared.expression.spots import scaled_log_expression
from methods.shared.graphs.neighbors import spatial_knn, unit_rows
from methods.shared.graphs.sections import voted
from methods.shared.graphs.weights import adjacency, row_normalized
from methods.shared.losses.gram import squared_error
from methods.shared.nn.sparse import SparseMatrix
from methods.shared.training.fit import Phase, check_data, train_and_cluster
from methods.shared.training.loop import fused_adam
from methods.shared.training.seeding import torch_stream

from .inputs import propagation
from .network import Network


class Model:
    """One network on one tissue."""

    CHANGES = ("network", "shuffles")

    def __init__(self, features: sp.csr_matrix, neighbours: np.ndarray, params: Params, job: Job):
        device = job.device
        self.params = params
        self.features = SparseMatrix(features, device)
        self.square = float((features.data.astype(np.float64) ** 2).sum())
        self.graph = SparseMatrix(propagation(neighbours, params.adjacency), device)
        self.readout = SparseMatrix(row_normalized(adjacency(neighbours, itself=True)), device)
        generator = torch_stream(job.seed, "weights")
        self.network = Network(features.shape[1], params.width, generator).to(device)
        self.shuffles = torch_stream(job.seed, "corruption")

    def latent(self) -> Tensor:
        """Return the graph-smoothed latent before decoding, Y = A A X W, spots x d."""
        return self.graph @ (self.graph @ (self.features @ self.network.encoder))

    def step(self, epoch: int) -> dict[str, Tensor]:
        """Reconstruct, and tell each spot's own surroundings from those of shuffled spots."""
        projected = self.features @ self.network.encoder
        order = torch.randperm(len(projected), generator=self.shuffles).to(projected.device)
        width = projected.shape[1]
        both = self.graph @ torch.cat([projected, projected[order]], dim=1)
        decoder = self.network.decoder
        latent, against = self.graph @ both[:, :width], self.features @ decoder.T
        error = squared_error(latent, decoder, against, self.square)
        mse = error / (len(latent) * decoder.shape[1])
        contrast = self.contrast(torch.relu(both))
        return {"reconstruction": self.params.alpha * mse, "contrast": contrast}

    def contrast(self, both: Tensor) -> Tensor:
        """
        Sum the two discriminator losses.

        Parameters
        ----------
        both
            Rectified embeddings of the tissue and of its corruption side by side, spots x 2d.
        """
        width = both.shape[1] // 2
        summary = self.readout @ both
        own, other = both[:, :width], both[:, width:]
        g = torch.sigmoid(normalize(summary[:, :width], dim=1)) @ self.network.bilinear.T
        g_other = torch.sigmoid(normalize(summary[:, width:], dim=1)) @ self.network.bilinear.T
        bias = self.network.bias
        logits = [torch.linalg.vecdot(e, s) + bias for s in (g, g_other) for e in (own, other)]
        # cross entropy of a positive logit is softplus(-l), of a negative one softplus(l)
        signs = (-1.0, 1.0, 1.0, -1.0)
        terms = [softplus(sign * logit).mean() for sign, logit in zip(signs, logits, strict=True)]
        return 0.5 * torch.stack(terms).sum()

    def components(self, count: int) -> np.ndarray:
        """Project the reconstruction on its principal components without forming it."""
        with torch.no_grad():
            latent = self.latent().cpu().numpy()
        compact = compact_product(latent, self.network.decoder.detach().cpu().numpy())
        return dense_components(unit_rows(compact) if self.params.unit_rows else compact, count)


def fit(data: Data, params: Params, job: Job) -> Result:
    """Train, reduce the reconstruction to 20 components and fit the mixture."""
    check_data(data, job, "GraphST")
    coordinates = data.required_coordinates("GraphST")
    neighbours = spatial_knn(coordinates, params.n_neighbors, data.pitch)
    features = scaled_log_expression(data.counts, params.n_genes)
    model = Model(features, neighbours, params, job)

    def head() -> Result:
        components = model.components(params.n_components)
        found = mixture_result(components, job, params.k_rule, params.kmeans_starts)
        return voted(found, data, params.refine)

    optimiser = fused_adam(list(model.network.parameters()), 1e-3)
    phases = [Phase(optimiser, model.step, params.epochs)]
    return train_and_cluster(model, job, params.epochs, phases, head)
