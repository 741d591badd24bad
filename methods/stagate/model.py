"""STAGATE: graph attention autoencoder of spots, Gaussian mixture on its latent.

Dong and Zhang, Nature Communications 13, 1739 (2022), doi 10.1038/s41467-022-29439-6.
"""

from __future__ import annotations

from functools import partial
from typing import NamedTuple

import numpy as np
import torch
from torch import Tensor
from torch.nn.functional import elu_

from methods.contract import Data, Job, Params, Result
from methods.shared.clustering.assign import mixture_result
from methods.shared.losses.gram import squared_error
from methods.shared.losses.with_gradient import accumulated_loss
from methods.shared.training.fit import Phase, check_data, train_and_cluster
from methods.shared.training.seeding import random_stream, torch_stream

from .attention import aggregate, attention
from .inputs import Reach, cell_types, log_expression, spot_graph
from .network import Network, optimiser
from .parts import Part, Tissue


class Encoded(NamedTuple):
    """What the encoder leaves: X W1, the attention of each edge, and the latent."""

    projected: Tensor
    weights: Tensor
    latent: Tensor


class Model:
    """
    One network on one tissue.

    Parameters
    ----------
    tissue
        Expression and graph.
    params, job
        Settings and seed.
    """

    CHANGES = ("network",)

    def __init__(self, tissue: Tissue, params: Params, job: Job) -> None:
        self.params, self.job = params, job
        generator = torch_stream(job.seed, "weights")
        n, n_genes = tissue.features.shape
        sizes = (n_genes, params.width, params.latent)
        split, pruned = params.tie == "pyg", params.alpha > 0
        self.network = Network(
            *sizes, params.weights, split, pruned, generator=generator, device=job.device
        )
        self.n_genes = n_genes
        self.whole = tissue.tiles(np.arange(n), params.minibatch_above)
        self.batches = [self.whole]
        if params.grid_columns * params.grid_rows > 1:
            cells = tissue.grid(params.grid_columns, params.grid_rows)
            self.batches = [tissue.tiles(spots, params.minibatch_above) for spots in cells]

    def attend(self, projected: Tensor, part: Part) -> Tensor:
        """Weigh edges, mixing in the attention among spots of one type where asked."""
        vectors = self.network.vectors
        weights = attention(projected @ vectors[0], part.graph)
        if part.kept is None:
            return weights
        same = attention(projected @ vectors[1], part.pruned)
        spread = torch.zeros_like(weights).index_put((part.kept,), same)
        return torch.lerp(weights, spread, self.params.alpha)

    def encode(self, part: Part) -> Encoded:
        """Embed the spots of a part."""
        projected = part.features @ self.network.first
        weights = self.attend(projected, part)
        hidden = elu_(aggregate(weights, projected, part.graph))
        return Encoded(projected, weights, hidden @ self.network.second)

    def error(self, part: Part) -> Tensor:
        """
        Sum the squared errors of the interior spots' reconstruction.

        The decoder aggregates the latent before widening it, which is the same.
        """
        projected, weights, latent = self.encode(part)
        second, first = self.network.way_out()
        hidden = elu_(aggregate(weights, latent, part.graph) @ second.T)
        if self.network.split:
            projected = part.features @ first
        if part.interior < len(hidden):
            projected, hidden = projected[: part.interior], hidden[: part.interior]
        return squared_error(hidden, first.T, projected, part.square)

    def loss(self, batch: list[tuple[np.ndarray, Part]]) -> dict[str, Tensor]:
        """Return the loss of spots cut into tiles; exact, with the memory of one tile."""
        params = self.params
        parts = [part for _, part in batch]
        if len(parts) == 1:
            square = self.error(parts[0])
        else:
            errors = [partial(self.error, part) for part in parts]
            total = accumulated_loss(errors, list(self.network.parameters()))
            square = total.to(self.network.first.dtype)
        if params.loss == "mse":
            return {"reconstruction": square / (sum(p.interior for p in parts) * self.n_genes)}
        decay = 0.5 * params.weight_decay * self.network.second.square().sum()
        return {"reconstruction": square.clamp_min(1e-12).sqrt(), "decay": decay}

    def step(self, done: int) -> dict[str, Tensor]:
        """Take the next batch; all are taken once an epoch, in a fresh order."""
        epoch, position = divmod(done, len(self.batches))
        order = random_stream(self.job.seed, f"order {epoch}").permutation(len(self.batches))
        return self.loss(self.batches[order[position]])

    def optimiser(self) -> torch.optim.Adam:
        """Return Adam; with ``loss: norm`` the decay is in the loss instead."""
        params = self.params
        decay = params.weight_decay if params.loss == "mse" else 0.0
        return optimiser(self.network, params.learning_rate, decay, params.clip)

    def embedding(self) -> np.ndarray:
        """Embed all spots on the whole graph, spots x latent."""
        with torch.no_grad():
            parts = [self.encode(part).latent[: part.interior] for _, part in self.whole]
        embedded = torch.cat(parts).cpu().double().numpy()
        order = np.concatenate([spots for spots, _ in self.whole])
        return embedded[np.argsort(order)]


def build(data: Data, params: Params, job: Job) -> tuple[Model, dict[str, float]]:
    """Prepare the tissue and the network; with facts on the graph."""
    features = log_expression(data.counts, params.n_genes)
    ways = (params.graph, params.radius, params.mean_degree)
    graph, facts = spot_graph(data, Reach(*ways, params.section_radius, params.n_neighbors))
    types = cell_types(features, job.seed) if params.alpha > 0 else None
    coordinates = data.required_coordinates("STAGATE")
    return Model(Tissue(features, graph, coordinates, types, job.device), params, job), facts


def fit(data: Data, params: Params, job: Job) -> Result:
    """Train the autoencoder and fit the mixture to its latent."""
    check_data(data, job, "STAGATE")
    model, facts = build(data, params, job)
    facts |= {"tiles": len(model.whole), "batches": len(model.batches)}

    def head() -> Result:
        found = mixture_result(model.embedding(), job, params.k_rule, params.kmeans_starts)
        found.notes |= facts
        return found

    steps = params.epochs * len(model.batches)
    phases = [Phase(model.optimiser(), model.step, steps)]
    return train_and_cluster(model, job, steps, phases, head)
