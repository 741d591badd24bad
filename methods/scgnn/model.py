"""scGNN: feature, graph and cluster autoencoders in turn, then an imputation autoencoder.

Wang et al., Nature Communications 12, 1882 (2021), doi 10.1038/s41467-021-22197-x.
"""

from __future__ import annotations

import copy
import dataclasses
import time

import numpy as np
import torch
from sklearn.metrics import adjusted_rand_score

from methods.contract import Data, Job, Params, Result
from methods.shared.training.fit import check_data
from methods.shared.training.loop import Step, Training, fused_adam
from methods.shared.training.seeding import random_stream, torch_stream
from methods.shared.training.state import restore, state_of

from .autoencoder import Autoencoder
from .blocks import Blocks, Output, expression_blocks, reconstruction_blocks, weighted_cells
from .cell_graph import cell_graph
from .convergence import graph_change, stops
from .graph_autoencoder import Draws, GraphAutoencoder, binarised, without_some_edges
from .imputation import cell_weights, completed
from .inputs import Inputs, prepare
from .louvain_kmeans import partition

RATE, GRAPH_RATE = 1e-3, 1e-2
GRAPH_SHARE, CLUSTER_SHARE, SPARSITY = 0.3, 0.1, 1.0  # of the imputation loss


class Model:
    """The networks and what they last said of the cells."""

    CHANGES = (
        "network", "optimiser", "training", "output", "graph", "embedding", "first", "found",
        "rests", "rounds", "seconds",
    )  # fmt: skip

    def __init__(self, inputs: Inputs, params: Params, job: Job) -> None:
        self.params, self.job = params, job
        self.n_cells, n_genes = inputs.expression.shape
        device = job.device
        self.network = Autoencoder(n_genes, torch_stream(job.seed, "weights")).to(device)
        self.initial = copy.deepcopy(self.network)
        self.optimiser = fused_adam(list(self.network.parameters()), RATE)
        self.weighted = expression_blocks(inputs.expression, inputs.states, params.alpha, device)
        one = torch.ones(self.n_cells, device=device)
        self.plain = weighted_cells(self.weighted, (1 - params.alpha) * one)
        self.training = Training(dataclasses.replace(job, snapshots=0), 0, self.clusters)
        self.seconds: dict[str, list[float]] = {}
        self.rounds = 0
        self.found: list[tuple[int, np.ndarray]] = []  # epoch and clusters of every round
        self.rests = False

    def clusters(self) -> np.ndarray:
        """Cluster the present embedding."""
        rng = random_stream(self.job.seed, "clusters")
        bucket = self.params.merge == "bucket"
        communities = self.graph.communities
        return partition(communities, self.embedding, self.job.n_clusters, rng, bucket)

    def run(self, name: str, optimiser: torch.optim.Optimizer, step: Step, epochs: int) -> None:
        """Train and take the time."""
        begin = time.perf_counter()
        self.training.run(optimiser, step, epochs)
        self.seconds.setdefault(name, []).append((time.perf_counter() - begin) / epochs)

    def train(
        self, name: str, network: Autoencoder, blocks: Blocks, epochs: int, penalty: float = 0.0
    ) -> Output:
        """Train an autoencoder, its weights' absolute sum penalised; return its last output."""
        own = network is self.network
        optimiser = self.optimiser if own else fused_adam(list(network.parameters()), RATE)
        kept: list[Output] = []

        def step(epoch: int) -> dict[str, torch.Tensor]:
            if epoch == epochs - 1:  # the output before the last step, as published
                kept.append(network.output(blocks))
            losses = {name: network.loss(blocks)}
            if penalty:
                size = torch.stack([layer.abs().sum() for layer in network.layers]).sum()
                losses["sparsity"] = penalty * size
            return losses

        self.run(name, optimiser, step, epochs)
        return kept[0]

    def build_cell_graph(self) -> None:
        """Build the cell graph of the present latent and embed it."""
        params, seed = self.params, self.job.seed
        latent = self.output.latent.cpu().numpy()
        name = f"graph {self.rounds}"
        self.graph = cell_graph(
            latent,
            params.n_neighbors,
            params.prune,
            params.prune_everywhere,
            random_stream(seed, f"{name} forest"),
        )
        draws = Draws(
            weights=torch_stream(seed, f"{name} weights"),
            noise=torch_stream(seed, f"{name} noise"),
            pairs=torch_stream(seed, f"{name} pairs"),
            edges=random_stream(seed, f"{name} edges"),
        )
        network = GraphAutoencoder(
            without_some_edges(self.graph.network, params.hold_out, draws.edges),
            binarised(latent) if params.graph_features == "binary" else latent,
            params.variational,
            params.exact_graph_up_to,
            draws,
            self.job.device,
        )
        self.run("graph", fused_adam(list(network.parameters()), GRAPH_RATE), network.step,
                 params.graph_epochs)  # fmt: skip
        self.embedding = network.embedding.cpu().numpy()
        self.rounds += 1

    def start(self) -> None:
        """Train on expression weighted by regulatory states, or go on where a killed run was."""
        kept = self.job.checkpoint.load()
        if kept is not None:
            restore(self, kept)
            return
        self.plan(self.params.iterations, self.job.n_clusters or 8)
        self.output = self.train("feature", self.network, self.weighted, self.params.epochs)
        self.build_cell_graph()
        self.first = self.graph.communities
        self.offer_checkpoint()

    def offer_checkpoint(self) -> None:
        """Offer the state between two rounds to the checkpoint."""
        self.job.checkpoint.save(lambda: state_of(self, self.CHANGES))

    def iterate(self, clusters: np.ndarray) -> None:
        """Let each cluster's own autoencoder change the expression the next latent comes from."""
        epochs, count = self.params.cluster_epochs, int(clusters.max()) + 1
        blocks = self.plain
        if self.params.feedback:
            outputs = [self.cluster_output(np.flatnonzero(clusters == c)) for c in range(count)]
            blocks = reconstruction_blocks(outputs, self.n_cells)
        else:
            epochs *= count + 1
        self.output = self.train("feature", self.network, blocks, epochs)
        self.build_cell_graph()

    def cluster_output(self, cells: np.ndarray) -> Output:
        """Train a copy of the feature autoencoder on the reconstruction of one cluster."""
        chosen = torch.as_tensor(cells, device=self.job.device)
        blocks = reconstruction_blocks([self.output.take(chosen)], self.n_cells)
        network = copy.deepcopy(self.network)
        return self.train("cluster", network, blocks, self.params.cluster_epochs)

    def impute(self, clusters: np.ndarray) -> Output:
        """Train a fresh autoencoder whose cells weigh by neighbours and cluster size."""
        degree = np.diff(self.graph.network.indptr)
        weight = cell_weights(degree, clusters, GRAPH_SHARE, CLUSTER_SHARE)
        on_device = torch.as_tensor(weight, dtype=torch.float32, device=self.job.device)
        blocks = weighted_cells(self.plain, on_device)
        network, epochs = copy.deepcopy(self.initial), self.params.cluster_epochs
        return self.train("imputation", network, blocks, epochs, SPARSITY)

    def plan(self, rounds: int, n_clusters: int) -> None:
        """Tell the progress report how many epochs are to come at most."""
        params = self.params
        each = (n_clusters + 1) * params.cluster_epochs + params.graph_epochs
        first = 0 if self.rounds else params.epochs + params.graph_epochs
        last = params.cluster_epochs if self.job.impute else 0
        self.training.epochs = self.training.done + first + rounds * each + last


def rounds(model: Model) -> list[tuple[int, np.ndarray]]:
    """Train until the rule stops it; return epoch and clusters of every round."""
    params, found = model.params, model.found
    while not model.rests:
        before = model.graph.communities if model.rounds > 1 else None
        left = params.iterations + 1 - model.rounds
        clusters = model.clusters()
        found.append((model.training.done, clusters))
        model.plan(left, int(clusters.max()) + 1)
        model.iterate(clusters)
        change = graph_change(model.first, before, model.graph.communities)
        ari = adjusted_rand_score(found[-2][1], clusters) if len(found) > 1 else 0.0
        still = stops(params.stop, ari > params.stop_ari, change < params.stop_change)
        model.rests = still or left == 1
        model.offer_checkpoint()
    if not params.stale_labels:
        found.append((model.training.done, model.clusters()))
    return found


def spread(parts: list[tuple[int, np.ndarray]], count: int) -> list[tuple[int, np.ndarray]]:
    """Choose evenly, the last included."""
    count = min(count, len(parts))
    return [parts[len(parts) * (i + 1) // count - 1] for i in range(count)]


def fit(data: Data, params: Params, job: Job) -> Result:
    """Embed and cluster in rounds; then impute, where it is asked for."""
    check_data(data, job)
    inputs = prepare(data.counts, params, random_stream(job.seed, "states"))
    model = Model(inputs, params, job)
    model.start()
    found = rounds(model)
    clusters = found[-1][1]
    rule = "Louvain communities of the cell graph, half of them kept (0.8 below 2,000 cells)"
    notes = {
        "k_rule": rule if job.n_clusters is None else "given",
        "rounds": model.rounds - 1,
        "graph_loss": "exact" if data.n_cells <= params.exact_graph_up_to else "sampled",
    }
    model.training.snapshots = spread(found, job.snapshots)
    imputed = None
    if job.impute:
        imputed = completed(data.counts, inputs.genes, model.impute(clusters), inputs.depth)
    notes["seconds_per_epoch"] = {name: min(spent) for name, spent in model.seconds.items()}
    result = model.training.result(clusters, model.embedding, notes)
    result.imputed = imputed
    return result
