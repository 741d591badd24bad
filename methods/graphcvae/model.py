"""GraphCVAE: variational autoencoder on residual graph convolutions, contrasted with a shuffle.

Zhang et al., 2024, code ZhiWeiZhang0336/GraphCVAE.
"""

from __future__ import annotations

import numpy as np
import torch
from torch import Tensor
from torch.nn.functional import normalize

from methods.contract import Data, Job, Params, Result
from methods.shared.clustering.assign import mixture_result
from methods.shared.expression.pca import compact_product, dense_components
from methods.shared.expression.spots import scaled_log_expression
from methods.shared.graphs.sections import section_knn, voted
from methods.shared.nn.sparse import TiledMatrix
from methods.shared.training.fit import Phase, check_data, train_and_cluster
from methods.shared.training.loop import fused_adam
from methods.shared.training.seeding import random_stream, torch_stream

from .augment import augmented, best_neighbours
from .inputs import Inputs, edge_weights, propagation, readout
from .losses import contrast, divergence, reconstruction_error
from .network import Network, Posterior, Projected

DROPOUT = 0.1


def prepare(data: Data, params: Params, rng: np.random.Generator) -> Inputs:
    """Augment and scale the counts, and build the graphs."""
    coordinates = data.required_coordinates("GraphCVAE")
    near = section_knn(coordinates, params.n_candidates, data.pitch, data.batch)
    weights, notes = edge_weights(data, near, params.use_image, rng)
    averaging = best_neighbours(near, weights, params.n_similar, params.drop_best)
    counts = augmented(data.counts, averaging, params.own_weight, params.neighbour_weight)
    graph = section_knn(coordinates, params.n_neighbors, data.pitch, data.batch)
    return Inputs(
        scaled_log_expression(counts, params.n_genes),
        propagation(graph, params.graph),
        readout(graph, params.readout),
        {**notes, "spots_augmented": int(np.count_nonzero(np.diff(averaging.indptr)))},
    )


class Model:
    """One network on one tissue, or on several sections at once."""

    CHANGES = ("network", "shuffles", "noise", "masks")

    def __init__(self, inputs: Inputs, params: Params, job: Job) -> None:
        device = job.device
        self.params, self.device = params, device
        features = inputs.features
        self.features = TiledMatrix(features, device)
        square = float((features.data.astype(np.float64) ** 2).sum())
        columns = np.asarray(features.sum(axis=0), dtype=np.float32).ravel()
        self.totals = (square, torch.from_numpy(columns).to(device))
        self.graph = TiledMatrix(inputs.propagation, device)
        self.readout = None if inputs.readout is None else TiledMatrix(inputs.readout, device)
        generator = torch_stream(job.seed, "weights")
        self.network = Network(features.shape[1], params.width, generator).to(device)
        self.shuffles = torch_stream(job.seed, "corruption")
        self.noise = torch_stream(job.seed, "noise")
        self.masks = torch_stream(job.seed, "dropout")

    def sample(self, posterior: Posterior) -> Tensor:
        """Draw from the posterior, spots x width."""
        mean, logvar, _ = posterior
        drawn = torch.randn(mean.shape, generator=self.noise).to(self.device)
        return mean + (logvar / 2).exp() * drawn

    def dropped(self, latent: Tensor) -> Tensor:
        """Silence a tenth of the latent entries and scale up the rest."""
        kept = torch.rand(latent.shape, generator=self.masks) >= DROPOUT
        return latent * kept.to(self.device) / (1 - DROPOUT)

    def summary(self, latent: Tensor) -> Tensor:
        """Return each spot's summary: the unit vector of its latent, or of the mean around it."""
        return normalize(latent if self.readout is None else self.readout @ latent, dim=1)

    def corrupted(self, projected: Projected) -> Tensor:
        """Sample the latent of the tissue with expression shuffled between spots."""
        order = torch.randperm(len(projected.convolved), generator=self.shuffles).to(self.device)
        convolved, shortcut = (part.index_select(0, order) for part in projected[:2])
        shuffled = projected._replace(convolved=convolved, shortcut=shortcut)
        return self.sample(self.network.encode(shuffled, self.graph))

    def step(self, epoch: int) -> dict[str, Tensor]:
        """Reconstruct, tell the tissue from its shuffle, and keep the posterior near normal."""
        net, params = self.network, self.params
        projected = net.project(self.features)
        posterior = net.encode(projected, self.graph)
        z = self.sample(posterior)
        other = self.summary(self.corrupted(projected))
        error = reconstruction_error(
            self.dropped(z), projected.decoded, net.decoder, net.decoder_bias, self.totals
        )
        return {
            "reconstruction": params.alpha * error,
            "contrast": params.beta * contrast(net.agreement, z, self.summary(z), other),
            "divergence": params.theta * divergence(posterior.mean, posterior.logvar),
        }

    def embedding(self) -> np.ndarray:
        """Return the part of the output asked for, with the running statistics, spots x d."""
        net = self.network
        net.eval()
        with torch.no_grad():
            posterior = net.encode(net.project(self.features), self.graph)
        net.train()
        kind = self.params.embedding
        if kind == "reconstruction":
            decoder = net.decoder.detach().cpu().numpy()
            return compact_product(posterior.mean.cpu().numpy(), decoder)
        chosen: Tensor = getattr(posterior, kind)
        return chosen.cpu().numpy()


def fit(data: Data, params: Params, job: Job) -> Result:
    """Train, reduce the embedding to its principal components and fit the mixture."""
    check_data(data, job, "GraphCVAE")
    inputs = prepare(data, params, random_stream(job.seed, "augmentation"))
    model = Model(inputs, params, job)

    def head() -> Result:
        embedding = model.embedding()
        components = dense_components(embedding, params.n_components)
        found = mixture_result(components, job, params.k_rule, params.kmeans_starts)
        found.embedding = embedding
        found.notes |= inputs.notes
        return voted(found, data, params.refine)

    optimiser = fused_adam(list(model.network.parameters()), params.learning_rate)
    phases = [Phase(optimiser, model.step, params.epochs)]
    return train_and_cluster(model, job, params.epochs, phases, head)
